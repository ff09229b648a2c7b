package localkms

import (
	"errors"
	"slices"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// maxPlaintext bounds Plaintext and Message, in bytes.
const maxPlaintext = 4096

// findUsable returns a key for a cryptographic operation. Its state is looked at first, then what it is for.
func (s *Server) findUsable(c *call, ref, usage, algorithm string) (*key, error) {
	k, err := s.findByAnyName(c, ref)
	if err != nil {
		return nil, err
	}
	return k, s.rules.checkUse(k, c.operation, usage, algorithm)
}

// checkUse refuses an operation or an algorithm that the key cannot do.
func (r rules) checkUse(k *key, operation, usage, algorithm string) error {
	switch {
	case k.state() != stateEnabled:
		return r.stateError(k)
	case k.usage != usage:
		return errKeyUsage(k.arn, k.usage, operation)
	case !slices.Contains(k.spec.Algorithms(usage), algorithm):
		return errAlgorithm(algorithm, k.spec.Name())
	}
	return nil
}

// currentMaterial is the material that encrypts, signs and authenticates. It is called on a usable key.
func (k *key) currentMaterial() keyMaterial { return k.materials[k.materials.current()] }

// shownMaterialID is the ID of a material where KMS shows it.
func (s *Server) shownMaterialID(k *key, id string) string {
	if !k.spec.HasMaterialID() || s.rules.isQKMS() {
		return ""
	}
	return id
}

// errUse is why a key could not do what was asked.
func errUse(err error) error {
	if refusal, ok := errors.AsType[*material.Error](err); ok && refusal.Kind == material.BadInput {
		return errValidation("%s", refusal)
	}
	return errInternal("the cryptographic operation failed")
}
