package localkms

import (
	"crypto/rand"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html
type getParametersForImportInput struct {
	keyID             string
	wrappingAlgorithm string
	wrappingKeySpec   string
}

func (in *getParametersForImportInput) read(r *reader) {
	r.require("KeyId", "WrappingAlgorithm", "WrappingKeySpec")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.enum("WrappingAlgorithm", &in.wrappingAlgorithm, material.WrappingAlgorithmNames()...)
	r.enum("WrappingKeySpec", &in.wrappingKeySpec, material.WrappingKeySpecNames()...)
}

// conditions are what key policies can ask about the request.
func (in *getParametersForImportInput) conditions() map[string]string {
	return map[string]string{"kms:WrappingAlgorithm": in.wrappingAlgorithm, "kms:WrappingKeySpec": in.wrappingKeySpec}
}

type getParametersForImportOutput struct {
	KeyID             string `json:"KeyId"`
	ImportToken       []byte
	PublicKey         []byte
	ParametersValidTo timestamp
}

func (s *Server) getParametersForImport(c *call, in getParametersForImportInput) (out getParametersForImportOutput, err error) {
	var serial tokenSerial
	_, _ = rand.Read(serial[:]) // documented never to fail
	for {
		k, err := s.find(c, in.keyID)
		if err != nil {
			return out, err
		}
		if err := s.checkParameters(k, in); err != nil {
			return out, err
		}
		chosen, wait := k.tokens.choose(s.wrappingKeys, wrappingKeyBits(in.wrappingKeySpec), serial)
		if chosen != nil {
			return s.importParameters(k, chosen, in.wrappingAlgorithm, serial)
		}
		select {
		case <-wait:
		case <-c.abandoned:
			return out, errInternal("the request was abandoned")
		case <-s.wrappingKeys.closed:
			return out, errInternal("the server is closing")
		}
	}
}

// checkParameters says why there are no import parameters, if there are none. As AWS does, it looks at the state
// before it looks at whether the key is of the right kind.
func (s *Server) checkParameters(k *key, in getParametersForImportInput) error {
	if err := s.rules.checkImportable(k); err != nil {
		return err
	}
	if k.materials.holdsCurrent() && !s.rules.offersParametersOverMaterial() {
		return errHoldsMaterial(k.arn)
	}
	if !s.rules.knowsWrapping(in.wrappingAlgorithm, in.wrappingKeySpec) || !k.spec.AllowsWrapping(in.wrappingAlgorithm, in.wrappingKeySpec) {
		return errWrapping(in.wrappingAlgorithm, in.wrappingKeySpec, k.spec.Name())
	}
	return nil
}

func (s *Server) importParameters(k *key, chosen *wrappingKey, algorithm string, serial tokenSerial) (out getParametersForImportOutput, err error) {
	token := importToken{
		Region: k.region, KeyID: k.id, WrappingKey: chosen.id, Algorithm: algorithm, Expires: s.keys.clock().Add(s.tokenTTL), Serial: serial,
	}
	sealed, err := s.tokens.seal(token)
	if err != nil {
		return out, err
	}
	return getParametersForImportOutput{
		KeyID: k.arn, ImportToken: sealed, PublicKey: chosen.public, ParametersValidTo: s.stamp(token.Expires),
	}, nil
}

// checkImportable returns why import parameters and imports are refused, if they are.
func (r rules) checkImportable(k *key) error {
	if err := r.checkLive(k); err != nil {
		return err
	}
	if k.state() == stateDisabled && r.assumed[DisabledRefusesImport] {
		return r.stateError(k)
	}
	return r.checkExternal(k)
}

// checkExternal refuses the operations of imported keys for keys that KMS made the material of.
func (r rules) checkExternal(k *key) error {
	switch {
	case k.isExternal():
		return nil
	case r.isQKMS(): // whose pages of the importing operations do not list UnsupportedOperationException
		return errWrongOriginState(k.arn, k.origin)
	default:
		return errOrigin(k.arn, k.origin)
	}
}

// wrappingKeyBits returns the modulus length of a wrapping key spec, 0 if it cannot be made here.
func wrappingKeyBits(spec string) int {
	switch spec {
	case "RSA_2048":
		return 2048
	case "RSA_3072":
		return 3072
	case "RSA_4096":
		return 4096
	default:
		return 0
	}
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteImportedKeyMaterial.html
type deleteImportedKeyMaterialInput struct {
	keyID         string
	keyMaterialID string
}

func (in *deleteImportedKeyMaterialInput) read(r *reader) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	if !r.rules.isQKMS() {
		r.keyMaterialID(&in.keyMaterialID)
	}
}

type keyMaterialOutput struct {
	KeyID         string `json:"KeyId,omitempty"`
	KeyMaterialID string `json:"KeyMaterialId,omitempty"`
}

// deleteImportedKeyMaterial is possible in every state but Creating. Without material it changes nothing.
func (s *Server) deleteImportedKeyMaterial(c *call, in deleteImportedKeyMaterialInput) (out keyMaterialOutput, err error) {
	return out, s.change(c, in.keyID, func(_ tx, k *key) error {
		if err := s.rules.checkExternal(k); err != nil {
			return err
		}
		if k.state() == stateCreating {
			return s.rules.stateError(k)
		}
		id := in.keyMaterialID
		if id == "" {
			id = k.materials.currentID()
		} else if k.materials.index(id) < 0 || !k.spec.HasMaterialID() {
			return errMaterialNotFound(id)
		}
		k.dropMaterial(id)
		out = s.materialOutput(k, id)
		return nil
	})
}

// materialOutput names a key and its material. QKMS answers with neither.
func (s *Server) materialOutput(k *key, materialID string) keyMaterialOutput {
	if s.rules.isQKMS() {
		return keyMaterialOutput{}
	}
	return keyMaterialOutput{KeyID: k.arn, KeyMaterialID: s.shownMaterialID(k, materialID)}
}
