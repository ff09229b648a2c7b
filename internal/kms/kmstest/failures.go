package kmstest

import (
	"context"
	"errors"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// failures is what holds of each operation when it is not about the key.
func failures() []promise {
	return []promise{
		{
			"credentials that are refused are told from everything else",
			"credentials are what has to be corrected",
			terms{},
			func(s *scene) {
				for operation, call := range s.calls() {
					s.refused(call(s.Context(), s.Stranger), operation, kms.ClassAccessDenied)
				}
			},
		},
		{
			"the same failure has the same text",
			"a condition that changed with every try would be written with every try",
			terms{},
			func(s *scene) {
				for _, service := range []kms.Service{s.Stranger, s.Service} {
					for operation, call := range s.failing() {
						first, second := call(s.Context(), service), call(s.Context(), service)
						s.expect(first != nil && second != nil && first.Error() == second.Error(), "%s fails with %q and then %q", operation, first, second)
					}
				}
			},
		},
		{
			"a call that the caller ends is known by the caller's own error, and its outcome is unknown",
			"a manager that stops is no failure of the KMS",
			terms{},
			func(s *scene) {
				ended, end := context.WithCancel(s.Context())
				end()
				for operation, call := range s.calls() {
					err := call(ended, s.Service)
					s.expect(errors.Is(err, context.Canceled), "%s: %v is not context.Canceled", operation, err)
					kmsError := s.classified(err)
					s.expect(kmsError.Operation == operation && kmsError.Class == kms.ClassUnreachable && kmsError.OutcomeUnknown(),
						"%s: class %s, outcome unknown %t", operation, kmsError.Class, kmsError.OutcomeUnknown())
				}
			},
		},
	}
}

type calls map[string]func(context.Context, kms.Service) error

// calls is each operation, as it would succeed.
func (s *scene) calls() calls {
	s.Helper()
	keyARN := s.key()
	return callsOn(keyARN, s.seal(keyARN, s.own()))
}

// failing is each operation, on a key that does not exist.
func (s *scene) failing() calls {
	s.Helper()
	keyARN := s.nobody()
	return callsOn(keyARN, s.sealedFor(keyARN, []byte("no token")))
}

func callsOn(keyARN string, sealed kms.SealedMaterial) calls {
	return calls{
		describeKey: func(ctx context.Context, service kms.Service) error {
			_, err := service.DescribeKey(ctx, keyARN)
			return err
		},
		getParametersForImport: func(ctx context.Context, service kms.Service) error {
			_, err := service.GetParametersForImport(ctx, keyARN, wrapping())
			return err
		},
		importKeyMaterial: func(ctx context.Context, service kms.Service) error {
			_, err := service.ImportKeyMaterial(ctx, kms.ImportRequest{Material: sealed, Expiry: permanent()})
			return err
		},
		deleteImportedKeyMaterial: func(ctx context.Context, service kms.Service) error {
			_, err := service.DeleteImportedKeyMaterial(ctx, kms.DeletionRequest{KeyARN: keyARN})
			return err
		},
	}
}
