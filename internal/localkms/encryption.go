package localkms

import "github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"

func encryptionAlgorithmNames() []string {
	return []string{symmetricDefault, "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"}
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
type encryptInput struct {
	keyID     string
	plaintext []byte
	algorithm string
	context   map[string]string
	dryRun    bool
}

func (in *encryptInput) read(r *reader) {
	r.require("KeyId", "Plaintext")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.blob("Plaintext", &in.plaintext, maxPlaintext)
	in.algorithm = symmetricDefault
	r.enum("EncryptionAlgorithm", &in.algorithm, encryptionAlgorithmNames()...)
	r.stringMap("EncryptionContext", &in.context)
	r.grantTokens()
	r.boolean("DryRun", &in.dryRun)
}

type encryptOutput struct {
	CiphertextBlob      []byte
	KeyID               string `json:"KeyId"`
	EncryptionAlgorithm string
}

func (s *Server) encrypt(c *call, in encryptInput) (out encryptOutput, err error) {
	k, err := s.findUsable(c, in.keyID, material.EncryptDecrypt, in.algorithm)
	if err != nil {
		return out, err
	}
	blob, err := k.encrypt(in.algorithm, in.plaintext, in.context)
	if err != nil {
		return out, err
	}
	if in.dryRun {
		return out, errDryRun()
	}
	return encryptOutput{CiphertextBlob: blob, KeyID: k.arn, EncryptionAlgorithm: in.algorithm}, nil
}

// encrypt encrypts under the current material. Only symmetric ciphertexts tell which that was.
func (k *key) encrypt(algorithm string, plaintext []byte, context map[string]string) ([]byte, error) {
	if algorithm == symmetricDefault {
		return k.seal(plaintext, context)
	}
	if len(context) > 0 {
		return nil, errContextNotAllowed()
	}
	blob, err := k.currentMaterial().key.Encrypt(algorithm, plaintext)
	if err != nil {
		return nil, errUse(err)
	}
	return blob, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
type decryptInput struct {
	ciphertext []byte
	keyID      string
	algorithm  string
	context    map[string]string
	dryRun     bool
}

func (in *decryptInput) read(r *reader) {
	r.require("CiphertextBlob")
	r.blob("CiphertextBlob", &in.ciphertext, 6144)
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	in.algorithm = symmetricDefault
	r.enum("EncryptionAlgorithm", &in.algorithm, encryptionAlgorithmNames()...)
	r.stringMap("EncryptionContext", &in.context)
	r.grantTokens()
	r.boolean("DryRun", &in.dryRun)
	r.unsupported("Recipient", "DryRunModifiers")
}

type decryptOutput struct {
	Plaintext           []byte
	KeyID               string `json:"KeyId"`
	KeyMaterialID       string `json:"KeyMaterialId,omitempty"`
	EncryptionAlgorithm string
}

func (s *Server) decrypt(c *call, in decryptInput) (out decryptOutput, err error) {
	opened, err := s.open(c, in)
	if err != nil {
		return out, err
	}
	if in.dryRun {
		return out, errDryRun()
	}
	return decryptOutput{
		Plaintext: opened.plaintext, KeyID: opened.key.arn, KeyMaterialID: s.shownMaterialID(opened.key, opened.materialID),
		EncryptionAlgorithm: in.algorithm,
	}, nil
}

// opened is a ciphertext decrypted.
type opened struct {
	plaintext  []byte
	key        *key
	materialID string
}

// open decrypts with the key that the ciphertext names or, for an asymmetric algorithm, the request.
func (s *Server) open(c *call, in decryptInput) (opened, error) {
	if _, isSymmetric := parseCiphertext(in.ciphertext); in.algorithm == symmetricDefault || in.keyID == "" && isSymmetric {
		return s.openSymmetric(c, in)
	}
	switch {
	case in.keyID == "":
		return opened{}, errValidation("A KeyId is required to decrypt with %s.", in.algorithm)
	case len(in.context) > 0:
		return opened{}, errContextNotAllowed()
	}
	k, err := s.findUsable(c, in.keyID, material.EncryptDecrypt, in.algorithm)
	if err != nil {
		return opened{}, err
	}
	plaintext, err := k.currentMaterial().key.Decrypt(in.algorithm, in.ciphertext)
	if err != nil {
		return opened{}, errInvalidCiphertext()
	}
	return opened{plaintext: plaintext, key: k}, nil
}

func (s *Server) openSymmetric(c *call, in decryptInput) (opened, error) {
	sealed, ok := parseCiphertext(in.ciphertext)
	if !ok {
		return opened{}, errInvalidCiphertext()
	}
	if in.keyID != "" {
		named, err := s.findByAnyName(c, in.keyID)
		if err != nil {
			return opened{}, err
		}
		if named.id != sealed.keyID {
			return opened{}, errIncorrectKey()
		}
	}
	k, err := s.find(c, sealed.keyID)
	if isNotFound(err) {
		return opened{}, s.rules.errForeignCiphertext()
	}
	if err != nil {
		return opened{}, err
	}
	if err := s.rules.checkUse(k, c.operation, material.EncryptDecrypt, in.algorithm); err != nil {
		return opened{}, err
	}
	plaintext, ok := k.open(sealed, in.context)
	if !ok {
		return opened{}, errInvalidCiphertext()
	}
	return opened{plaintext: plaintext, key: k, materialID: sealed.materialID}, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html
type reEncryptInput struct {
	source      decryptInput
	destination encryptInput
}

func (in *reEncryptInput) read(r *reader) {
	r.require("CiphertextBlob", "DestinationKeyId")
	r.blob("CiphertextBlob", &in.source.ciphertext, 6144)
	r.text("SourceKeyId", &in.source.keyID, 1, maxKeyIDLength)
	r.text("DestinationKeyId", &in.destination.keyID, 1, maxKeyIDLength)
	in.source.algorithm, in.destination.algorithm = symmetricDefault, symmetricDefault
	r.enum("SourceEncryptionAlgorithm", &in.source.algorithm, encryptionAlgorithmNames()...)
	r.enum("DestinationEncryptionAlgorithm", &in.destination.algorithm, encryptionAlgorithmNames()...)
	r.stringMap("SourceEncryptionContext", &in.source.context)
	r.stringMap("DestinationEncryptionContext", &in.destination.context)
	r.grantTokens()
	r.boolean("DryRun", &in.destination.dryRun)
	r.unsupported("DryRunModifiers")
}

type reEncryptOutput struct {
	CiphertextBlob                 []byte
	SourceKeyID                    string `json:"SourceKeyId"`
	KeyID                          string `json:"KeyId"`
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	SourceKeyMaterialID            string `json:"SourceKeyMaterialId,omitempty"`
	DestinationKeyMaterialID       string `json:"DestinationKeyMaterialId,omitempty"`
}

// reEncrypt needs kms:ReEncryptFrom for the one key and kms:ReEncryptTo for the other.
func (s *Server) reEncrypt(c *call, in reEncryptInput) (out reEncryptOutput, err error) {
	c.action = "ReEncryptFrom"
	source, err := s.open(c, in.source)
	if err != nil {
		return out, err
	}
	c.action = "ReEncryptTo"
	k, err := s.findUsable(c, in.destination.keyID, material.EncryptDecrypt, in.destination.algorithm)
	if err != nil {
		return out, err
	}
	blob, err := k.encrypt(in.destination.algorithm, source.plaintext, in.destination.context)
	if err != nil {
		return out, err
	}
	if in.destination.dryRun {
		return out, errDryRun()
	}
	return reEncryptOutput{
		CiphertextBlob: blob, SourceKeyID: source.key.arn, KeyID: k.arn,
		SourceEncryptionAlgorithm: in.source.algorithm, DestinationEncryptionAlgorithm: in.destination.algorithm,
		SourceKeyMaterialID:      s.shownMaterialID(source.key, source.materialID),
		DestinationKeyMaterialID: s.shownMaterialID(k, k.materials.currentID()),
	}, nil
}
