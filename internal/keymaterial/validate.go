package keymaterial

import "fmt"

// Validate checks that the material is what a key of this KeySpec and KeyUsage takes. An empty KeyUsage is one that KMS
// does not tell. Errors are *InvalidError, with one sentence for each kind of key: what exactly is amiss, a wrong
// length or another kind of key, is the Secret's own business.
func Validate(m Material, keySpec, keyUsage string) error {
	spec, known := specOf(keySpec)
	_, random := spec.shape.(randomBytes)
	switch {
	case !known:
		return &InvalidError{fmt.Sprintf("Key material for keys of KeySpec %q is not supported", keySpec)}
	case !spec.hasUsage(keyUsage):
		return &InvalidError{fmt.Sprintf("Key material for keys of KeySpec %q and KeyUsage %q is not supported", keySpec, keyUsage)}
	case m.privateKey && random, !spec.shape.fits(m.raw()):
		return &InvalidError{fmt.Sprintf("A key of KeySpec %s takes %s", keySpec, spec.shape.expected())}
	default:
		return nil
	}
}
