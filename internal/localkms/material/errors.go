package material

import "fmt"

// ErrorKind says whose fault an [Error] is.
type ErrorKind int

const (
	// BadMaterial is key material that keys of the spec cannot have.
	BadMaterial ErrorKind = iota
	// BadInput is what an operation cannot be done with: a message, a digest, a public key, an algorithm.
	BadInput
	// BadCiphertext is a ciphertext that the key does not decrypt.
	BadCiphertext
)

// Error is what every operation of this package fails with. Its text is one sentence, and holds nothing of key
// material, plaintext or message.
type Error struct {
	Kind     ErrorKind
	sentence string
}

func (e *Error) Error() string { return e.sentence }

func errMaterial(format string, args ...any) error {
	return &Error{BadMaterial, fmt.Sprintf(format, args...)}
}

func errInput(format string, args ...any) error {
	return &Error{BadInput, fmt.Sprintf(format, args...)}
}

func errAlgorithm(s Spec, algorithm string) error {
	return errInput("Algorithm %s is incompatible with key spec %s.", algorithm, s.name)
}

func errCiphertext() error {
	return &Error{BadCiphertext, "The ciphertext was not made for this key and algorithm, or was changed."}
}
