package localkms

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"
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

func (s *Server) generateMac(c *call, in generateMacInput) (generateMacOutput, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (out generateMacOutput, err error) {
		if err := k.checkUse(c.operation, generateVerifyMac, in.algorithm, in.dryRun); err != nil {
			return out, err
		}
		return generateMacOutput{KeyID: k.arn, Mac: k.mac(in.message), MacAlgorithm: in.algorithm}, nil
	})
}

// mac computes the MAC of the key's one algorithm, HMAC_SHA_256. It is called on a usable HMAC key.
func (k *key) mac(message []byte) []byte {
	mac := hmac.New(sha256.New, k.material.secret)
	mac.Write(message)
	return mac.Sum(nil)
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

func (s *Server) verifyMac(c *call, in verifyMacInput) (verifyMacOutput, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (out verifyMacOutput, err error) {
		if err := k.checkUse(c.operation, generateVerifyMac, in.algorithm, false); err != nil {
			return out, err
		}
		if !hmac.Equal(k.mac(in.message), in.mac) {
			return out, errInvalidMAC()
		}
		if in.dryRun {
			return out, errDryRun()
		}
		return verifyMacOutput{KeyID: k.arn, MacValid: true, MacAlgorithm: in.algorithm}, nil
	})
}
