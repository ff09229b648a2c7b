package localkms

import (
	"crypto/rand"
	"strconv"
	"time"
)

// maxKeyIDLength bounds a KeyId parameter, in characters.
const maxKeyIDLength = 2048

// https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
type createKeyInput struct {
	origin      string
	keySpec     string
	legacySpec  string
	keyUsage    string
	description string
}

func (in *createKeyInput) read(r *reader) {
	in.origin = originKMS
	r.enum("Origin", &in.origin, originKMS, originExternal, "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")
	r.enum("KeySpec", &in.keySpec, keySpecNames()...)
	r.enum("CustomerMasterKeySpec", &in.legacySpec, keySpecNames()...)
	r.enum("KeyUsage", &in.keyUsage, "SIGN_VERIFY", encryptDecrypt, generateVerifyMac, "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE")
	r.text("Description", &in.description, 0, 8192)
	var bypass, multiRegion bool
	r.boolean("BypassPolicyLockoutSafetyCheck", &bypass)
	if r.boolean("MultiRegion", &multiRegion); multiRegion {
		r.unsupported("MultiRegion")
	}
	r.unsupported("Policy", "Tags", "CustomKeyStoreId", "XksKeyId")
}

type createKeyOutput struct {
	KeyMetadata keyMetadata
}

func (s *Server) createKey(c *call, in createKeyInput) (out createKeyOutput, err error) {
	spec, err := in.spec()
	if err != nil {
		return out, err
	}
	if in.origin != originKMS && in.origin != originExternal {
		return out, errUnsupported("origin %s is not supported by the local KMS", in.origin)
	}
	id := newUUID()
	k := &key{id: id, arn: s.account.keyARN(id), spec: spec, origin: in.origin, description: in.description}
	if k.origin == originKMS {
		secret := make([]byte, spec.materialSize)
		_, _ = rand.Read(secret) // documented never to fail
		k.putMaterial(s.materialIDs.identify(id, secret), &material{secret: secret})
	}
	s.keys.add(k)
	return onKey(s, c, id, func(k *key, _ time.Time) (createKeyOutput, error) {
		return createKeyOutput{s.metadata(k)}, nil
	})
}

// spec returns the kind of key that the request asks for.
func (in *createKeyInput) spec() (keySpec, error) {
	name := in.keySpec
	switch {
	case in.keySpec != "" && in.legacySpec != "":
		return keySpec{}, errValidation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case in.legacySpec != "":
		name = in.legacySpec
	case in.keySpec == "":
		name = symmetricDefault
	}
	if in.keyUsage == "" && name != symmetricDefault {
		return keySpec{}, errValidation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	spec, found := findKeySpec(name)
	if !found {
		return keySpec{}, errUnsupported("key spec %s is not supported by the local KMS", name)
	}
	if in.keyUsage != "" && in.keyUsage != spec.usage {
		return keySpec{}, errValidation("KeyUsage %s is not compatible with KeySpec %s", in.keyUsage, name)
	}
	return spec, nil
}

// keyRef is the input of operations that need nothing but a key.
type keyRef struct {
	keyID string
}

func (in *keyRef) read(r *reader) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.grantTokens()
}

type describeKeyOutput = createKeyOutput

func (s *Server) describeKey(c *call, in keyRef) (describeKeyOutput, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (describeKeyOutput, error) {
		return describeKeyOutput{s.metadata(k)}, nil
	})
}

func (s *Server) enableKey(c *call, in keyRef) (empty, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (empty, error) { return empty{}, k.setDisabled(false) })
}

func (s *Server) disableKey(c *call, in keyRef) (empty, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (empty, error) { return empty{}, k.setDisabled(true) })
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
type scheduleKeyDeletionInput struct {
	keyID string
	days  int
}

func (in *scheduleKeyDeletionInput) read(r *reader) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	in.days = 30
	r.integer("PendingWindowInDays", &in.days, 7, 30)
}

type scheduleKeyDeletionOutput struct {
	KeyID               string `json:"KeyId"`
	KeyState            keyState
	DeletionDate        epochSeconds
	PendingWindowInDays int
}

func (s *Server) scheduleKeyDeletion(c *call, in scheduleKeyDeletionInput) (scheduleKeyDeletionOutput, error) {
	return onKey(s, c, in.keyID, func(k *key, now time.Time) (scheduleKeyDeletionOutput, error) {
		if err := k.scheduleDeletion(now.Add(time.Duration(in.days) * 24 * time.Hour)); err != nil {
			return scheduleKeyDeletionOutput{}, err
		}
		return scheduleKeyDeletionOutput{
			KeyID: k.arn, KeyState: k.state(), DeletionDate: epochSeconds(k.deletionDate), PendingWindowInDays: in.days,
		}, nil
	})
}

type cancelKeyDeletionOutput struct {
	KeyID string `json:"KeyId"`
}

func (s *Server) cancelKeyDeletion(c *call, in keyRef) (cancelKeyDeletionOutput, error) {
	return onKey(s, c, in.keyID, func(k *key, _ time.Time) (cancelKeyDeletionOutput, error) {
		return cancelKeyDeletionOutput{k.arn}, k.cancelDeletion()
	})
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html
type listKeysInput struct {
	limit  int
	marker string
}

func (in *listKeysInput) read(r *reader) {
	in.limit = 100
	r.integer("Limit", &in.limit, 1, 1000)
	r.text("Marker", &in.marker, 1, 1024)
}

type keyListEntry struct {
	KeyID  string `json:"KeyId"`
	KeyARN string `json:"KeyArn"`
}

type listKeysOutput struct {
	Keys       []keyListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

func (s *Server) listKeys(_ *call, in listKeysInput) (listKeysOutput, error) {
	var after uint64
	if in.marker != "" {
		var err error
		if after, err = strconv.ParseUint(in.marker, 10, 31); err != nil {
			return listKeysOutput{}, errInvalidMarker()
		}
	}
	ids, next := s.keys.page(int(after), in.limit)
	out := listKeysOutput{Keys: make([]keyListEntry, len(ids))}
	for i, id := range ids {
		out.Keys[i] = keyListEntry{KeyID: id, KeyARN: s.account.keyARN(id)}
	}
	if next != 0 {
		out.NextMarker, out.Truncated = strconv.Itoa(next), true
	}
	return out, nil
}
