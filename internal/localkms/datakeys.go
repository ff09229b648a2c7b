package localkms

import (
	"crypto/rand"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html
type generateDataKeyInput struct {
	keyID   string
	spec    string
	bytes   int
	context map[string]string
	dryRun  bool
}

func (in *generateDataKeyInput) read(r *reader) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.enum("KeySpec", &in.spec, "AES_256", "AES_128")
	r.integer("NumberOfBytes", &in.bytes, 1, 1024)
	r.stringMap("EncryptionContext", &in.context)
	r.grantTokens()
	r.boolean("DryRun", &in.dryRun)
	r.unsupported("Recipient")
}

// size is the length of the data key in bytes.
func (in *generateDataKeyInput) size() (int, error) {
	switch {
	case in.spec != "" && in.bytes != 0:
		return 0, errValidation("Please specify either number of bytes or key spec.")
	case in.spec == "AES_256":
		return 32, nil
	case in.spec == "AES_128":
		return 16, nil
	case in.bytes == 0:
		return 0, errValidation("Please specify either number of bytes or key spec.")
	}
	return in.bytes, nil
}

type generateDataKeyOutput struct {
	CiphertextBlob []byte
	Plaintext      []byte `json:",omitempty"`
	KeyID          string `json:"KeyId"`
	KeyMaterialID  string `json:"KeyMaterialId,omitempty"`
}

func (s *Server) generateDataKey(c *call, in generateDataKeyInput) (out generateDataKeyOutput, err error) {
	size, err := in.size()
	if err != nil {
		return out, err
	}
	k, err := s.findUsable(c, in.keyID, material.EncryptDecrypt, symmetricDefault)
	if err != nil {
		return out, err
	}
	if in.dryRun {
		return out, errDryRun()
	}
	dataKey := randomBytes(size)
	blob, err := k.seal(dataKey, in.context)
	if err != nil {
		return out, err
	}
	return generateDataKeyOutput{
		CiphertextBlob: blob, Plaintext: dataKey, KeyID: k.arn,
		KeyMaterialID: s.shownMaterialID(k, k.materials.currentID()),
	}, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyWithoutPlaintext.html
func (s *Server) generateDataKeyWithoutPlaintext(c *call, in generateDataKeyInput) (generateDataKeyOutput, error) {
	out, err := s.generateDataKey(c, in)
	out.Plaintext = nil
	return out, err
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateRandom.html
type generateRandomInput struct {
	bytes int
}

func (in *generateRandomInput) read(r *reader) {
	if !r.has("NumberOfBytes") { // optional in the model, and missed in words of its own
		r.refuse(errValidation("NumberOfBytes is required."))
	}
	r.integer("NumberOfBytes", &in.bytes, 1, 1024)
	r.unsupported("CustomKeyStoreId", "Recipient")
}

type generateRandomOutput struct {
	Plaintext []byte
}

func (s *Server) generateRandom(_ *call, in generateRandomInput) (generateRandomOutput, error) {
	return generateRandomOutput{randomBytes(in.bytes)}, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented never to fail
	return b
}
