// Package localkms is a KMS for tests, demos and CI: an [http.Handler] that answers the AWS KMS JSON protocol
// the way AWS KMS does for keys with imported key material, with real cryptography behind it.
//
// It covers the import path (GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial), the life
// of a key (CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion)
// and the use of it (Encrypt, Decrypt, GenerateMac, VerifyMac) for the key specs SYMMETRIC_DEFAULT and
// HMAC_256. A parameter it cannot honour is refused with UnsupportedOperationException, never ignored.
//
//	kms, err := localkms.New(localkms.Options{})
//	...
//	defer kms.Close()
//	server := httptest.NewServer(kms)
//
// # Where AWS is silent
//
// Where the behaviour of AWS is documented two ways or not at all, the server takes the reading that is
// harsher for a client: an import token imports once, HMAC_256 takes exactly 32 bytes, and a re-import into a
// disabled key enables it.
//
// # Time
//
// Two clocks govern it. [Options.Now] decides when material expires, when an import token expires and when a
// key scheduled for deletion is gone, so that a test can move a year ahead at once. [Options.SigningNow] judges
// signature dates only, because those are written by clients that read the wall clock.
//
// # Trust
//
// It is a test tool and keeps no secret from whoever runs it: keys and material live unprotected in the
// memory of the process and are lost with it, anyone with one of its access keys may do everything, and no claim
// is made about timing side channels. Requests must be signed (Signature Version 4, checked in constant time),
// but the transport is whatever the caller puts the handler behind. Randomness is that of crypto/rand. Neither
// logs nor errors carry plaintext, material, tokens or request bodies.
//
// The package shares no code with the operator: an unwrapping written apart is what catches a wrapping mistake.
package localkms
