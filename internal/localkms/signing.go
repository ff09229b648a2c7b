package localkms

import "github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"

func signingAlgorithmNames() []string {
	return []string{
		"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
		"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
		"ECDSA_SHA_256", "ECDSA_SHA_384", "ECDSA_SHA_512", "SM2DSA", "ML_DSA_SHAKE_256", "ED25519_SHA_512", "ED25519_PH_SHA_512",
	}
}

const (
	messageRaw    = "RAW"
	messageDigest = "DIGEST"
)

// https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
type signInput struct {
	keyID       string
	message     []byte
	messageType string
	algorithm   string
	dryRun      bool
}

func (in *signInput) read(r *reader) {
	r.require("KeyId", "Message", "SigningAlgorithm")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.blob("Message", &in.message, maxPlaintext)
	in.messageType = messageRaw
	r.enum("MessageType", &in.messageType, messageRaw, messageDigest, "EXTERNAL_MU")
	r.enum("SigningAlgorithm", &in.algorithm, signingAlgorithmNames()...)
	r.grantTokens()
	r.boolean("DryRun", &in.dryRun)
}

func (in *signInput) toSign() material.Message {
	return material.Message{Content: in.message, Digested: in.messageType == messageDigest}
}

type signOutput struct {
	KeyID            string `json:"KeyId"`
	Signature        []byte
	SigningAlgorithm string
}

func (s *Server) sign(c *call, in signInput) (out signOutput, err error) {
	k, err := s.findSigning(c, in)
	if err != nil {
		return out, err
	}
	signature, err := k.currentMaterial().key.Sign(in.algorithm, in.toSign())
	if err != nil {
		return out, errUse(err)
	}
	if in.dryRun {
		return out, errDryRun()
	}
	return signOutput{KeyID: k.arn, Signature: signature, SigningAlgorithm: in.algorithm}, nil
}

func (s *Server) findSigning(c *call, in signInput) (*key, error) {
	k, err := s.findUsable(c, in.keyID, material.SignVerify, in.algorithm)
	if err != nil {
		return nil, err
	}
	if in.messageType != messageRaw && in.messageType != messageDigest { // for ML-DSA, of which there are no keys
		return nil, errValidation("MessageType %s cannot be used with %s.", in.messageType, in.algorithm)
	}
	return k, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_Verify.html
type verifyInput struct {
	signInput
	signature []byte
}

func (in *verifyInput) read(r *reader) {
	in.signInput.read(r)
	r.require("Signature")
	r.blob("Signature", &in.signature, 6144)
}

type verifyOutput struct {
	KeyID            string `json:"KeyId"`
	SignatureValid   bool
	SigningAlgorithm string
}

// verify answers a wrong signature with an error, as AWS does.
func (s *Server) verify(c *call, in verifyInput) (out verifyOutput, err error) {
	k, err := s.findSigning(c, in.signInput)
	if err != nil {
		return out, err
	}
	valid, err := k.currentMaterial().key.Verify(in.algorithm, in.toSign(), in.signature)
	switch {
	case err != nil:
		return out, errUse(err)
	case !valid:
		return out, errInvalidSignatureOfMessage()
	case in.dryRun:
		return out, errDryRun()
	}
	return verifyOutput{KeyID: k.arn, SignatureValid: true, SigningAlgorithm: in.algorithm}, nil
}
