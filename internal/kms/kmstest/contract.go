// Package kmstest states what kms.Service promises, as tests that every implementation passes over every KMS.
package kmstest

import (
	"context"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Harness is an implementation of kms.Service with the KMS behind it.
type Harness struct {
	// Service is what is tested.
	Service kms.Service
	// Stranger is a Service to the same KMS with credentials that it refuses.
	Stranger kms.Service
	// Dialect is what the KMS speaks.
	Dialect kms.Dialect
	// Keys is the KMS's own API.
	Keys Keys
	// Key is the ARN of an empty symmetric key of Origin EXTERNAL that has never had material. Every promise that takes
	// one such key is checked on it, one after the other, with material made at random; at the end it may hold that or be
	// empty. Without it, each promise makes a key of its own.
	Key string
	// NoOtherKeys leaves out the promises that take more than Key.
	NoOtherKeys bool
	// Now is the clock of the KMS.
	Now func() time.Time
	// Advance moves that clock. Without it, promises that take hours to see kept are left out.
	Advance func(time.Duration)
	// Settle returns when every part of the KMS shows what was done so far; at once where each change shows at once.
	Settle func()
}

// Keys does with keys what the operator never does and other people do.
type Keys interface {
	// Create makes a key without an alias and returns its ARN.
	Create(ctx context.Context, spec kms.KeySpec, origin kms.Origin) (keyARN string, err error)
	Enable(ctx context.Context, keyARN string) error
	Disable(ctx context.Context, keyARN string) error
	ScheduleDeletion(ctx context.Context, keyARN string) error
	Encrypt(ctx context.Context, keyARN string, plaintext []byte) (ciphertext []byte, err error)
	Decrypt(ctx context.Context, keyARN string, ciphertext []byte) (plaintext []byte, err error)
	// MAC is HMAC-SHA-256 under an HMAC_256 key.
	MAC(ctx context.Context, keyARN string, message []byte) (mac []byte, err error)
}

// promise is one sentence about kms.Service.
type promise struct {
	name   string
	reason string // why the operator needs it
	terms  terms
	keep   func(*scene)
}

// Contract checks every promise of ScopeOf's in a subtest of its own. Where documentation is silent or says two things,
// either is taken, and what follows from it is checked.
func Contract(t *testing.T, harness Harness) {
	t.Helper()
	var shared []byte
	if harness.Key != "" {
		shared = random(keyBytes)
	}
	for _, p := range promises(harness.Dialect) {
		if p.terms.unmet(harness) == "" {
			t.Run(p.name, func(t *testing.T) { p.keep(&scene{T: t, Harness: harness, reason: p.reason, ownMaterial: shared}) })
		}
	}
}

func promises(dialect kms.Dialect) (all []promise) {
	for _, chapter := range [][]promise{
		looks(), parameters(dialect), imports(), reimports(), deletions(), refusals(), lateness(), failures(),
	} {
		all = append(all, chapter...)
	}
	return all
}
