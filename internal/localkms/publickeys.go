package localkms

import "github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html
type getPublicKeyOutput struct {
	KeyID                  string `json:"KeyId"`
	PublicKey              []byte
	CustomerMasterKeySpec  string
	KeySpec                string
	KeyUsage               string
	EncryptionAlgorithms   []string `json:",omitempty"`
	SigningAlgorithms      []string `json:",omitempty"`
	KeyAgreementAlgorithms []string `json:",omitempty"`
}

func (s *Server) getPublicKey(c *call, in keyRef) (out getPublicKeyOutput, err error) {
	k, err := s.findByAnyName(c, in.keyID)
	if err != nil {
		return out, err
	}
	if k.state() != stateEnabled {
		return out, s.rules.stateError(k)
	}
	public, err := k.currentMaterial().key.Public()
	if err != nil {
		return out, errUnsupported("%s key spec is %s which is not valid for this operation.", k.arn, k.spec.Name())
	}
	listed := s.metadata(k)
	return getPublicKeyOutput{
		KeyID: k.arn, PublicKey: public, CustomerMasterKeySpec: k.spec.Name(), KeySpec: k.spec.Name(), KeyUsage: k.usage,
		EncryptionAlgorithms: listed.EncryptionAlgorithms, SigningAlgorithms: listed.SigningAlgorithms,
		KeyAgreementAlgorithms: listed.KeyAgreementAlgorithms,
	}, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_DeriveSharedSecret.html
type deriveSharedSecretInput struct {
	keyID     string
	algorithm string
	publicKey []byte
	dryRun    bool
}

func (in *deriveSharedSecretInput) read(r *reader) {
	r.require("KeyId", "KeyAgreementAlgorithm", "PublicKey")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.enum("KeyAgreementAlgorithm", &in.algorithm, "ECDH")
	r.blob("PublicKey", &in.publicKey, 8192)
	r.grantTokens()
	r.boolean("DryRun", &in.dryRun)
	r.unsupported("Recipient")
}

type deriveSharedSecretOutput struct {
	KeyID                 string `json:"KeyId"`
	SharedSecret          []byte
	KeyAgreementAlgorithm string
	KeyOrigin             string
}

func (s *Server) deriveSharedSecret(c *call, in deriveSharedSecretInput) (out deriveSharedSecretOutput, err error) {
	k, err := s.findUsable(c, in.keyID, material.KeyAgreement, in.algorithm)
	if err != nil {
		return out, err
	}
	secret, err := k.currentMaterial().key.DeriveSharedSecret(in.publicKey)
	if err != nil {
		return out, errUse(err)
	}
	if in.dryRun {
		return out, errDryRun()
	}
	return deriveSharedSecretOutput{KeyID: k.arn, SharedSecret: secret, KeyAgreementAlgorithm: in.algorithm, KeyOrigin: k.origin}, nil
}
