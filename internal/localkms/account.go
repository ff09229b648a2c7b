package localkms

import (
	"fmt"
	"strings"
)

// account is whose keys these are, and where: what makes an ARN of a key ID.
type account struct {
	region string
	id     string
}

func (a account) arn(resource string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", a.region, a.id, resource)
}

func (a account) keyARN(keyID string) string { return a.arn("key/" + keyID) }

// resolve returns the key ID that a KeyId parameter names: a key ID or a key ARN. Whether there is such a key
// is for the store to say.
func (a account) resolve(ref string) (string, error) {
	keyID := ref
	if strings.HasPrefix(ref, "arn:") {
		resource, err := a.resource(ref)
		if err != nil {
			return "", err
		}
		name, isKey := strings.CutPrefix(resource, "key/")
		if !isKey && !strings.HasPrefix(resource, "alias/") {
			return "", errInvalidARN()
		}
		keyID = name
	}
	if strings.HasPrefix(keyID, "alias/") {
		return "", errAliasNotFound(a.arn(keyID))
	}
	if !isKeyID(keyID) {
		return "", errInvalidKeyID(keyID)
	}
	return keyID, nil
}

// resource returns the last part of an ARN that belongs to this account and Region.
func (a account) resource(arn string) (string, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[1] != "aws" || parts[2] != "kms" || parts[3] == "" {
		return "", errInvalidARN()
	}
	switch region, owner := parts[3], parts[4]; {
	case region != a.region:
		return "", errForeignRegion(region)
	case owner != a.id:
		return "", errKeyNotFound(arn)
	}
	return parts[5], nil
}

// isKeyID tells whether id has the shape of a key ID: a UUID in lower case, or "mrk-" and 32 hexadecimal digits
// (multi-Region keys, of which there are none).
func isKeyID(id string) bool {
	shape := "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if digits, isMultiRegion := strings.CutPrefix(id, "mrk-"); isMultiRegion {
		id, shape = digits, strings.Repeat("x", 32)
	}
	if len(id) != len(shape) {
		return false
	}
	for i := range len(id) {
		if dash := shape[i] == '-'; dash != (id[i] == '-') || !dash && !isLowerHex(rune(id[i])) {
			return false
		}
	}
	return true
}

func isLowerHex(c rune) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
