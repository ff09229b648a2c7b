package localkms

import (
	"crypto/hmac"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

func macAlgorithmNames() []string {
	return []string{"HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"}
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html
type generateMacInput struct {
	keyID     string
	message   []byte
	algorithm string
	dryRun    bool
}

func (in *generateMacInput) read(r *reader) {
	r.require("KeyId", "Message", "MacAlgorithm")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.blob("Message", &in.message, maxPlaintext)
	r.enum("MacAlgorithm", &in.algorithm, macAlgorithmNames()...)
	r.grantTokens()
	r.boolean("DryRun", &in.dryRun)
}

type generateMacOutput struct {
	KeyID        string `json:"KeyId"`
	Mac          []byte
	MacAlgorithm string
}

func (s *Server) generateMac(c *call, in generateMacInput) (out generateMacOutput, err error) {
	k, mac, err := s.mac(c, in)
	if err != nil {
		return out, err
	}
	if in.dryRun {
		return out, errDryRun()
	}
	return generateMacOutput{KeyID: k.arn, Mac: mac, MacAlgorithm: in.algorithm}, nil
}

func (s *Server) mac(c *call, in generateMacInput) (*key, []byte, error) {
	k, err := s.findUsable(c, in.keyID, material.GenerateVerifyMac, in.algorithm)
	if err != nil {
		return nil, nil, err
	}
	mac, err := k.currentMaterial().key.MAC(in.algorithm, in.message)
	if err != nil {
		return nil, nil, errUse(err)
	}
	return k, mac, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_VerifyMac.html
type verifyMacInput struct {
	generateMacInput
	mac []byte
}

func (in *verifyMacInput) read(r *reader) {
	in.generateMacInput.read(r)
	r.require("Mac")
	r.blob("Mac", &in.mac, 6144)
}

type verifyMacOutput struct {
	KeyID        string `json:"KeyId"`
	MacValid     bool
	MacAlgorithm string
}

func (s *Server) verifyMac(c *call, in verifyMacInput) (out verifyMacOutput, err error) {
	k, mac, err := s.mac(c, in.generateMacInput)
	if err != nil {
		return out, err
	}
	if !hmac.Equal(mac, in.mac) {
		return out, errInvalidMAC()
	}
	if in.dryRun {
		return out, errDryRun()
	}
	return verifyMacOutput{KeyID: k.arn, MacValid: true, MacAlgorithm: in.algorithm}, nil
}
