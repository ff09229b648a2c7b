package plan

import (
	"fmt"
	"strings"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// chooseWrapping is the strongest wrapping that the key, its material and KMS's dialect allow, with what the spec names.
// It depends on nothing else: no error of KMS ever makes it choose a weaker one. Where the spec leaves none, the step
// says so.
func chooseWrapping(d Desired, o Observed) (kms.Wrapping, *Step) {
	spec, bytes := o.Look.Key.Spec, 0
	if o.Material != nil {
		bytes = o.Material.Bytes
	}
	choice := kms.ChooseWrapping(o.Dialect, spec, bytes, d.Wrapping)
	if choice.Wrapping != (kms.Wrapping{}) {
		return choice.Wrapping, nil
	}
	possible := kms.ChooseWrapping(o.Dialect, spec, bytes, kms.Wrapping{}).Wrapping
	remedy := fmt.Sprintf("remove spec.wrapping, and %s with %s is chosen", possible.Algorithm, possible.KeySpec)
	if choice.Limit == 0 {
		return kms.Wrapping{}, stall(v1alpha1.ReasonInvalidWrapping, fmt.Sprintf(
			"%s is not taken by KMS for a key of KeySpec %s: %s", named(d.Wrapping), spec, remedy))
	}
	return kms.Wrapping{}, stall(v1alpha1.ReasonInvalidWrapping, fmt.Sprintf(
		"%s takes at most %d bytes, and the material of this %s key is longer: %s", named(d.Wrapping), choice.Limit, spec, remedy))
}

// Fits reports whether material, once it was read, fits the wrapping that was chosen before its length was known.
func (w ImportMaterial) Fits(material Material) bool { return material.Bytes <= w.Wrapping.Limit() }

// named is what the spec names of a wrapping.
func named(wrapping kms.Wrapping) string {
	var parts []string
	if wrapping.Algorithm != "" {
		parts = append(parts, "algorithm "+string(wrapping.Algorithm))
	}
	if wrapping.KeySpec != "" {
		parts = append(parts, "keySpec "+string(wrapping.KeySpec))
	}
	return "spec.wrapping with " + strings.Join(parts, " and ")
}
