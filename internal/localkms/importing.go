package localkms

import (
	"crypto/rand"
	"time"
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
	r.enum("WrappingAlgorithm", &in.wrappingAlgorithm, wrappingAlgorithmNames()...)
	r.enum("WrappingKeySpec", &in.wrappingKeySpec, wrappingKeySpecNames()...)
}

type getParametersForImportOutput struct {
	KeyID             string `json:"KeyId"`
	ImportToken       []byte
	PublicKey         []byte
	ParametersValidTo epochSeconds
}

func (s *Server) getParametersForImport(c *call, in getParametersForImportInput) (getParametersForImportOutput, error) {
	for {
		out, wait, err := s.offerWrappingKey(c, in)
		if wait == nil {
			return out, err
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

// offerWrappingKey makes the answer, or returns what to wait for while the wrapping key is being generated. To
// choose a key and to remember the choice is one step, so that answers to concurrent requests differ as well.
func (s *Server) offerWrappingKey(c *call, in getParametersForImportInput) (out getParametersForImportOutput, wait <-chan struct{}, err error) {
	out, err = onKey(s, c, in.keyID, func(k *key, now time.Time) (getParametersForImportOutput, error) {
		var none getParametersForImportOutput
		if err := k.checkImportable(); err != nil {
			return none, err
		}
		if err := k.spec.checkWrapping(in.wrappingAlgorithm, in.wrappingKeySpec); err != nil {
			return none, err
		}
		var chosen *wrappingKey
		if chosen, wait = s.wrappingKeys.pick(wrappingKeyBits(in.wrappingKeySpec), k.lastWrappingKey); chosen == nil {
			return none, nil
		}
		k.lastWrappingKey = chosen.id
		return s.importParameters(k, chosen, in.wrappingAlgorithm, now.Add(s.tokenTTL))
	})
	return out, wait, err
}

func (s *Server) importParameters(k *key, chosen *wrappingKey, algorithm string, expires time.Time) (out getParametersForImportOutput, err error) {
	token := importToken{KeyID: k.id, WrappingKey: chosen.id, Algorithm: algorithm, Expires: expires}
	_, _ = rand.Read(token.Serial[:]) // documented never to fail
	sealed, err := s.tokens.seal(token)
	if err != nil {
		return out, err
	}
	return getParametersForImportOutput{
		KeyID: k.arn, ImportToken: sealed, PublicKey: chosen.public, ParametersValidTo: epochSeconds(expires),
	}, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteImportedKeyMaterial.html
type deleteImportedKeyMaterialInput struct {
	keyID         string
	keyMaterialID string
}

func (in *deleteImportedKeyMaterialInput) read(r *reader) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.keyMaterialID(&in.keyMaterialID)
}

type keyMaterialOutput struct {
	KeyID         string `json:"KeyId"`
	KeyMaterialID string `json:"KeyMaterialId,omitempty"`
}

// deleteImportedKeyMaterial is possible in every state. Without material it changes nothing.
func (s *Server) deleteImportedKeyMaterial(c *call, in deleteImportedKeyMaterialInput) (keyMaterialOutput, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (out keyMaterialOutput, err error) {
		if err := k.checkExternal(); err != nil {
			return out, err
		}
		if in.keyMaterialID != "" && in.keyMaterialID != k.publicMaterialID() {
			return out, errMaterialNotFound(in.keyMaterialID)
		}
		if k.material != nil {
			k.dropMaterial()
		}
		return keyMaterialOutput{KeyID: k.arn, KeyMaterialID: k.publicMaterialID()}, nil
	})
}
