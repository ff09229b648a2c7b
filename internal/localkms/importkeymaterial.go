package localkms

import (
	"crypto/rsa"
	"strings"
	"time"
	"unicode"
)

const (
	modelExpires       = "KEY_MATERIAL_EXPIRES"
	modelDoesNotExpire = "KEY_MATERIAL_DOES_NOT_EXPIRE"

	importNew      = "NEW_KEY_MATERIAL"
	importExisting = "EXISTING_KEY_MATERIAL"

	// maxValidity is how far ahead ValidTo may be.
	maxValidity = 365 * 24 * time.Hour
)

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html
type importKeyMaterialInput struct {
	keyID                string
	encryptedKeyMaterial []byte
	importToken          []byte
	expirationModel      string
	validTo              time.Time
	hasValidTo           bool
	importType           string
	description          string
	keyMaterialID        string
}

func (in *importKeyMaterialInput) read(r *reader) {
	r.require("KeyId", "EncryptedKeyMaterial", "ImportToken")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.blob("EncryptedKeyMaterial", &in.encryptedKeyMaterial, 6144)
	r.blob("ImportToken", &in.importToken, 6144)
	in.expirationModel = modelExpires
	r.enum("ExpirationModel", &in.expirationModel, modelExpires, modelDoesNotExpire)
	r.timestamp("ValidTo", &in.validTo)
	in.hasValidTo = r.has("ValidTo")
	r.enum("ImportType", &in.importType, importNew, importExisting)
	r.text("KeyMaterialDescription", &in.description, 0, 256)
	r.charset("KeyMaterialDescription", in.description, `^[a-zA-Z0-9:/_\s.-]+$`, isDescriptive)
	r.keyMaterialID(&in.keyMaterialID)
}

func isDescriptive(c rune) bool {
	return c <= unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsSpace(c)) ||
		strings.ContainsRune(":/_.-", c)
}

// importKeyMaterial imports in three steps, because the RSA operation in the middle is too slow for the lock:
// it looks whether the import may be, decrypts, and looks again before it changes the key.
func (s *Server) importKeyMaterial(c *call, in importKeyMaterialInput) (out keyMaterialOutput, err error) {
	var token importToken
	_, err = onKey(s, c, in.keyID, func(k *key, now time.Time) (empty, error) {
		token, err = s.admitImport(k, in, now)
		return empty{}, err
	})
	if err != nil {
		return out, err
	}
	secret, err := s.unwrap(token, in.encryptedKeyMaterial)
	if err != nil {
		return out, err
	}
	return onKey(s, c, in.keyID, func(k *key, now time.Time) (keyMaterialOutput, error) {
		if _, err := s.admitImport(k, in, now); err != nil {
			return keyMaterialOutput{}, err
		}
		id, err := s.checkMaterial(k, in, secret)
		if err != nil {
			return keyMaterialOutput{}, err
		}
		k.putMaterial(id, &material{secret: secret, expiry: expiry{model: in.expirationModel, validTo: in.validTo}})
		k.spendToken(token.Serial, token.Expires, now)
		return keyMaterialOutput{KeyID: k.arn, KeyMaterialID: k.publicMaterialID()}, nil
	})
}

// admitImport decides what can be decided without the material: the key, the parameters, the token, in this order.
func (s *Server) admitImport(k *key, in importKeyMaterialInput, now time.Time) (importToken, error) {
	if err := k.checkImportable(); err != nil {
		return importToken{}, err
	}
	if err := in.checkExpiry(now); err != nil {
		return importToken{}, err
	}
	if err := in.checkMaterialParameters(k.spec); err != nil {
		return importToken{}, err
	}
	return s.checkToken(k, in.importToken, now)
}

func (in *importKeyMaterialInput) checkExpiry(now time.Time) error {
	switch {
	case in.expirationModel == modelDoesNotExpire && in.hasValidTo:
		return errValidation("A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
	case in.expirationModel == modelDoesNotExpire:
		return nil
	case !in.hasValidTo:
		return errValidation("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case !in.validTo.After(now):
		return errValidation("The validTo date must be in the future")
	case in.validTo.After(now.Add(maxValidity)):
		return errValidation("The validTo date must be at most 365 days in the future")
	}
	return nil
}

// checkMaterialParameters refuses what makes sense only for keys that can have several materials.
func (in *importKeyMaterialInput) checkMaterialParameters(spec keySpec) error {
	if in.importType == importNew && in.keyMaterialID != "" {
		return errValidation("KeyMaterialId cannot be used with ImportType NEW_KEY_MATERIAL")
	}
	if spec.showsMaterialID {
		return nil
	}
	if in.importType != "" || in.description != "" || in.keyMaterialID != "" {
		return errValidation("ImportType, KeyMaterialDescription and KeyMaterialId cannot be used with a %s key", spec.name)
	}
	return nil
}

func (s *Server) checkToken(k *key, sealed []byte, now time.Time) (importToken, error) {
	token, ok := s.tokens.open(sealed)
	switch {
	case !ok:
		return importToken{}, errInvalidImportToken("The import token is not one of this KMS.")
	case token.KeyID != k.id:
		return importToken{}, errInvalidImportToken("The import token belongs to another key.")
	case !now.Before(token.Expires):
		return importToken{}, errExpiredImportToken()
	case k.tokenSpent(token.Serial):
		return importToken{}, errInvalidImportToken("The import token has been used.")
	}
	return token, nil
}

// unwrap decrypts material with the wrapping key and the algorithm that the token names.
func (s *Server) unwrap(token importToken, encrypted []byte) ([]byte, error) {
	wrapping, found := s.wrappingKeys.find(token.WrappingKey)
	if !found {
		return nil, errInvalidImportToken("The import token names no wrapping key of this KMS.")
	}
	if len(encrypted) != wrapping.private.Size() {
		return nil, errValidation("Invalid encrypted key size.")
	}
	// With a nil label, and the hash for OAEP used for MGF1 as well.
	secret, err := rsa.DecryptOAEP(oaepHash(token.Algorithm).New(), nil, wrapping.private, encrypted, nil)
	if err != nil {
		return nil, errUnwrap()
	}
	return secret, nil
}

// checkMaterial returns the ID of material that the key may take.
func (s *Server) checkMaterial(k *key, in importKeyMaterialInput, secret []byte) (string, error) {
	if len(secret) != k.spec.materialSize {
		return "", errIncorrectMaterial("The key material has the wrong length for the key spec.")
	}
	id := s.materialIDs.identify(k.id, secret)
	known, first := id == k.materialID, k.materialID == ""
	switch {
	case in.keyMaterialID != "" && in.keyMaterialID != id,
		in.importType == importExisting && first:
		return "", errIncorrectMaterial("The key material is not the one that the request says it is.")
	case in.importType == importNew && known:
		return "", errIncorrectMaterial("The key material is not new: it is associated with the key.")
	case in.importType == importNew && !first:
		return "", errUnsupported("rotation of imported key material is not supported by the local KMS")
	case !first && !known:
		return "", errIncorrectMaterial("The key material is not the one that is permanently associated with the key.")
	}
	return id, nil
}
