package localkms

import (
	"fmt"
	"strings"
)

// place is where a key or an alias is: the same name in two Regions is two things. In QKMS, which has no Regions,
// everything is in [DefaultRegion].
type place struct {
	region string
	name   string // the key ID or the alias name
}

// namespace makes ARNs, and takes them apart, in the way of the dialect.
type namespace struct {
	account string
	verenc  bool // arn:verenc:<account>:<resource>
}

func (n namespace) arn(region, resource string) string {
	if n.verenc {
		return fmt.Sprintf("arn:verenc:%s:%s", n.account, resource)
	}
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", region, n.account, resource)
}

// principal is the ARN of someone of the account.
func (n namespace) principal(name string) string {
	if n.verenc {
		return fmt.Sprintf("arn:verenc:%s:%s", n.account, name)
	}
	return fmt.Sprintf("arn:aws:iam::%s:%s", n.account, name)
}

// owns tells whether a principal is one of the account.
func (n namespace) owns(principalARN string) bool {
	return strings.Contains(principalARN, ":"+n.account+":")
}

func (n namespace) keyARN(at place) string { return n.arn(at.region, "key/"+at.name) }

func (n namespace) aliasARN(at place) string { return n.arn(at.region, at.name) }

// name returns what a KeyId parameter of a request in a Region names: a key ID, or an alias name beginning with
// "alias/". Whether there is such a thing is for the store to say.
func (n namespace) name(ref, region string) (string, error) {
	name := ref
	if strings.HasPrefix(ref, "arn:") {
		resource, err := n.resource(ref, region)
		if err != nil {
			return "", err
		}
		keyID, isKey := strings.CutPrefix(resource, "key/")
		if !isKey && !strings.HasPrefix(resource, aliasPrefix) {
			return "", errInvalidARN(n)
		}
		name = keyID
	}
	if !strings.HasPrefix(name, aliasPrefix) && !isKeyID(name) {
		return "", errInvalidKeyID(name)
	}
	return name, nil
}

// resource returns the last part of an ARN of this account and Region.
func (n namespace) resource(arn, region string) (string, error) {
	fields := 6
	if n.verenc {
		fields = 4
	}
	parts := strings.SplitN(arn, ":", fields)
	if len(parts) != fields || strings.Contains(parts[fields-1], ":") {
		return "", errInvalidARN(n)
	}
	if n.verenc {
		return n.owned(arn, parts[1] == "verenc", parts[2], parts[3])
	}
	if parts[3] == "" {
		return "", errInvalidARN(n)
	}
	if parts[3] != region && parts[1] == "aws" && parts[2] == "kms" {
		return "", errForeignRegion(parts[3])
	}
	return n.owned(arn, parts[1] == "aws" && parts[2] == "kms", parts[4], parts[5])
}

func (n namespace) owned(arn string, wellFormed bool, account, resource string) (string, error) {
	switch {
	case !wellFormed:
		return "", errInvalidARN(n)
	case account != n.account:
		return "", errKeyNotFound(arn)
	}
	return resource, nil
}

// multiRegionPrefix begins the IDs of multi-Region keys.
const multiRegionPrefix = "mrk-"

// isKeyID tells whether id has the shape of a key ID: a UUID in lower case, or "mrk-" and 32 hexadecimal digits.
func isKeyID(id string) bool {
	shape := "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if digits, isMultiRegion := strings.CutPrefix(id, multiRegionPrefix); isMultiRegion {
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

// isRegion tells whether a name has the shape of those of Regions: us-east-1, us-gov-west-1.
func isRegion(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) < 3 || len(name) > 32 {
		return false
	}
	last := len(parts) - 1
	for i, part := range parts {
		allowed := "abcdefghijklmnopqrstuvwxyz"
		if i == last {
			allowed = "0123456789"
		}
		if part == "" || strings.Trim(part, allowed) != "" {
			return false
		}
	}
	return true
}
