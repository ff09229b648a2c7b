package localkms

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/unwrap"
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
	if r.rules.requiresExpirationModel() {
		r.require("ExpirationModel")
	}
	in.expirationModel = modelExpires
	r.enum("ExpirationModel", &in.expirationModel, modelExpires, modelDoesNotExpire)
	r.timestamp("ValidTo", &in.validTo)
	in.hasValidTo = r.has("ValidTo")
	if r.rules.isQKMS() {
		return
	}
	r.enum("ImportType", &in.importType, importNew, importExisting)
	r.text("KeyMaterialDescription", &in.description, 0, 256)
	r.charset("KeyMaterialDescription", in.description, `^[a-zA-Z0-9:/_\s.-]+$`, isDescriptive)
	r.keyMaterialID(&in.keyMaterialID)
}

func isDescriptive(c rune) bool {
	return c <= unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsSpace(c)) ||
		strings.ContainsRune(":/_.-", c)
}

// conditions are what key policies can ask about the request.
func (in *importKeyMaterialInput) conditions() map[string]string {
	asked := map[string]string{"kms:ExpirationModel": in.expirationModel}
	if in.hasValidTo {
		asked["kms:ValidTo"] = epochSeconds(in.validTo)
	}
	return asked
}

// importKeyMaterial imports in three steps, because the RSA operation in the middle is too slow for the lock:
// it looks whether the import may be, decrypts, and looks again before it changes the key.
func (s *Server) importKeyMaterial(c *call, in importKeyMaterialInput) (out any, err error) {
	k, err := s.findLatest(c, in.keyID)
	if err != nil {
		return nil, err
	}
	token, err := s.admitImport(k, in)
	if err != nil {
		return nil, err
	}
	parsed, err := s.unwrap(k.spec, token, in.encryptedKeyMaterial)
	if err != nil {
		return nil, err
	}
	id := s.materialIDs.identify(k.id, parsed.Bytes())
	return out, s.change(c, in.keyID, func(t tx, k *key) error {
		if _, err := s.admitImport(k, in); err != nil {
			return err
		}
		if err := s.rules.checkMaterial(k, in, id); err != nil {
			return err
		}
		s.rules.putMaterial(k, in, id, parsed)
		k.tokens.spend(token, t.now)
		out = s.importOutput(k, id)
		return nil
	})
}

// importOutput is an answer without a body in QKMS.
func (s *Server) importOutput(k *key, materialID string) any {
	if s.rules.isQKMS() {
		return empty{}
	}
	return s.materialOutput(k, materialID)
}

// admitImport decides what can be decided without the material: the key, the parameters, the token, in this order.
func (s *Server) admitImport(k *key, in importKeyMaterialInput) (importToken, error) {
	if err := s.rules.checkImportable(k); err != nil {
		return importToken{}, err
	}
	if k.materials.holdsCurrent() && !s.rules.importsOverMaterial() {
		return importToken{}, errHoldsMaterial(k.arn)
	}
	if err := in.checkExpiry(k.now); err != nil {
		return importToken{}, err
	}
	if err := s.rules.checkMaterialParameters(in, k.spec); err != nil {
		return importToken{}, err
	}
	return s.checkToken(k, in.importToken)
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
func (r rules) checkMaterialParameters(in importKeyMaterialInput, spec material.Spec) error {
	if in.importType == importNew && in.keyMaterialID != "" {
		return errValidation("KeyMaterialId cannot be used with ImportType NEW_KEY_MATERIAL")
	}
	if spec.HasMaterialID() || in.importType == "" && in.description == "" && in.keyMaterialID == "" {
		return nil
	}
	const text = "ImportType, KeyMaterialDescription and KeyMaterialId cannot be used with a %s key"
	if r.assumed[ImportTypeUnsupportedOperation] {
		return errUnsupported(text, spec.Name())
	}
	return errValidation(text, spec.Name())
}

func (s *Server) checkToken(k *key, sealed []byte) (importToken, error) {
	token, ok := s.tokens.open(sealed)
	switch {
	case !ok:
		return importToken{}, errInvalidImportToken("The import token is not one of this KMS.")
	case token.KeyID != k.id || token.Region != k.region:
		return importToken{}, errInvalidImportToken("The import token belongs to another key.")
	case !k.now.Before(token.Expires):
		return importToken{}, errExpiredImportToken()
	case !s.rules.tokensAreReusable() && k.tokens.isSpent(token.Serial):
		return importToken{}, errInvalidImportToken("The import token has been used.")
	case s.rules.newParametersReplaceOlder() && !k.tokens.isNewest(token.Serial):
		return importToken{}, errInvalidImportToken("The import token was replaced by a newer one.")
	}
	return token, nil
}

// unwrap decrypts material with the wrapping key and the algorithm that the token names, and reads it.
func (s *Server) unwrap(spec material.Spec, token importToken, encrypted []byte) (*material.Key, error) {
	wrapping, found := s.wrappingKeys.find(token.WrappingKey)
	if !found {
		return nil, errInvalidImportToken("The import token names no wrapping key of this KMS.")
	}
	plain, err := unwrap.Material(token.Algorithm, wrapping.private, encrypted)
	switch {
	case errors.Is(err, unwrap.ErrSize):
		return nil, errValidation("Invalid encrypted key size.")
	case err != nil:
		return nil, errUnwrap()
	}
	parsed, err := spec.Parse(plain, s.rules.hmacLength())
	if err != nil {
		return nil, errIncorrectMaterial(err.Error())
	}
	return parsed, nil
}

// checkMaterial tells whether the key may take the material with an ID.
func (r rules) checkMaterial(k *key, in importKeyMaterialInput, id string) error {
	if in.keyMaterialID != "" && in.keyMaterialID != id {
		return errOtherThanStated()
	}
	if i := k.materials.index(id); i >= 0 {
		return r.checkKnownMaterial(k, in, k.materials[i])
	}
	return r.checkUnknownMaterial(k, in, id)
}

func (r rules) checkKnownMaterial(k *key, in importKeyMaterialInput, known keyMaterial) error {
	switch {
	case in.importType == importNew && !k.isReplica(): // to a replica, what its primary has is new
		return errIncorrectMaterial("The key material is not new: it is associated with the key.")
	case r.assumed[ExpiryChangeNeedsDeletion] && known.key != nil && known.expiry != in.expiry():
		return errHoldsMaterial(k.arn)
	}
	return nil
}

func (r rules) checkUnknownMaterial(k *key, in importKeyMaterialInput, id string) error {
	pending := k.materials.pending()
	switch {
	case in.importType == importExisting:
		return errOtherThanStated()
	case k.isReplica():
		return errIncorrectMaterial("The key material is not one of the primary key's. Import it there first.")
	case k.materials.current() < 0:
		return nil
	case in.importType == "" && (k.materials.holdsCurrent() || !r.forgetsMaterial()):
		return errIncorrectMaterial("The key material is not the one that is permanently associated with the key.")
	case pending >= 0:
		return errAnotherPending(k.arn, id, k.materials[pending].id)
	}
	return nil
}

func errOtherThanStated() error {
	return errIncorrectMaterial("The key material is not the one that the request says it is.")
}

func (in *importKeyMaterialInput) expiry() expiry {
	return expiry{model: in.expirationModel, validTo: in.validTo}
}

// putMaterial gives the key a material that it may take, and enables it, from whatever state allowed the import. New
// material beside another waits for its rotation and changes no state.
func (r rules) putMaterial(k *key, in importKeyMaterialInput, id string, parsed *material.Key) {
	at := k.materials.index(id)
	switch {
	case at >= 0:
	case k.materials.current() < 0 || r.forgetsMaterial():
		k.materials, at = materials{{id: id, state: materialCurrent}}, 0
	default:
		at = len(k.materials)
		k.materials = append(k.materials, keyMaterial{id: id, state: materialPendingRotation})
	}
	one := &k.materials[at]
	one.key, one.expiry = parsed, in.expiry()
	if in.description != "" {
		one.description = in.description
	}
	if !one.isPending() && !r.assumed[DisabledStaysDisabled] {
		k.disabled = false
	}
}
