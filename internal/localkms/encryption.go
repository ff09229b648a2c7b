package localkms

import (
	"time"
)

// maxPlaintext bounds Plaintext and Message, in bytes.
const maxPlaintext = 4096

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

func (s *Server) encrypt(c *call, in encryptInput) (encryptOutput, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (out encryptOutput, err error) {
		if err := k.checkUse(c.operation, encryptDecrypt, in.algorithm, in.dryRun); err != nil {
			return out, err
		}
		return encryptOutput{
			CiphertextBlob: k.seal(in.plaintext, in.context), KeyID: k.arn, EncryptionAlgorithm: in.algorithm,
		}, nil
	})
}

// checkUse refuses cryptographic operations that the key cannot do: its state is looked at first. DryRun ends
// those it could have done.
func (k *key) checkUse(operation, usage, algorithm string, dryRun bool) error {
	if err := k.checkUsable(); err != nil {
		return err
	}
	if err := k.spec.checkUse(k.arn, operation, usage, algorithm); err != nil {
		return err
	}
	if dryRun {
		return errDryRun()
	}
	return nil
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
	KeyMaterialID       string `json:"KeyMaterialId"`
	EncryptionAlgorithm string
}

func (s *Server) decrypt(c *call, in decryptInput) (out decryptOutput, err error) {
	sealed, ok := parseCiphertext(in.ciphertext)
	if !ok {
		return out, errInvalidCiphertext()
	}
	if err := s.checkDecryptionKey(c, in.keyID, sealed.keyID); err != nil {
		return out, err
	}
	found := s.keys.with(sealed.keyID, func(k *key, _ time.Time) {
		c.keyID = k.id
		out, err = decryptWith(k, c.operation, in, sealed)
	})
	if !found {
		return out, errForeignCiphertext()
	}
	return out, err
}

// checkDecryptionKey compares the key that the request names, if it does, with the one in the ciphertext.
func (s *Server) checkDecryptionKey(c *call, ref, sealedBy string) error {
	if ref == "" {
		return nil
	}
	_, err := onKey(s, c, ref, func(k *key, _ time.Time) (empty, error) {
		if k.id != sealedBy {
			return empty{}, errIncorrectKey()
		}
		return empty{}, nil
	})
	return err
}

func decryptWith(k *key, operation string, in decryptInput, sealed ciphertext) (out decryptOutput, err error) {
	if err := k.checkUse(operation, encryptDecrypt, in.algorithm, false); err != nil {
		return out, err
	}
	plaintext, ok := k.open(sealed, in.context)
	if !ok {
		return out, errInvalidCiphertext()
	}
	if in.dryRun {
		return out, errDryRun()
	}
	return decryptOutput{
		Plaintext: plaintext, KeyID: k.arn, KeyMaterialID: k.materialID, EncryptionAlgorithm: in.algorithm,
	}, nil
}
