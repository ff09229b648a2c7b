package localkms

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// maxKeyIDLength bounds a KeyId parameter, in characters.
const maxKeyIDLength = 2048

// symmetricDefault is the KeySpec of symmetric encryption keys, and their one algorithm.
const symmetricDefault = "SYMMETRIC_DEFAULT"

// https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
type createKeyInput struct {
	origin      string
	keySpec     string
	legacySpec  string
	keyUsage    string
	description string
	policy      string
	bypass      bool
	multiRegion bool
	tags        []tag
}

func (in *createKeyInput) read(r *reader) {
	in.origin = originKMS
	origins := []string{originKMS, originExternal, "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"}
	if r.rules.isQKMS() {
		origins = []string{originKMS, originExternal, originQKMS}
	}
	r.enum("Origin", &in.origin, origins...)
	r.enum("KeySpec", &in.keySpec, material.SpecNames()...)
	r.enum("CustomerMasterKeySpec", &in.legacySpec, legacySpecNames()...)
	r.enum("KeyUsage", &in.keyUsage, "SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE")
	r.text("Description", &in.description, 0, 8192)
	r.policy(&in.policy)
	r.boolean("BypassPolicyLockoutSafetyCheck", &in.bypass)
	r.boolean("MultiRegion", &in.multiRegion)
	r.tags("Tags", &in.tags)
	r.unsupported("CustomKeyStoreId", "XksKeyId")
}

// legacySpecNames are the specs that the model still has under the deprecated name.
func legacySpecNames() []string {
	return slices.DeleteFunc(material.SpecNames(), func(name string) bool {
		return strings.HasPrefix(name, "ML_") || name == "ECC_NIST_EDWARDS25519"
	})
}

type keyMetadataOutput struct {
	KeyMetadata keyMetadata
}

func (s *Server) createKey(c *call, in createKeyInput) (out keyMetadataOutput, err error) {
	k, err := s.newKey(c, in)
	if err != nil {
		return out, err
	}
	if !k.isExternal() {
		first, err := k.spec.Generate()
		if err != nil {
			return out, err
		}
		k.materials = materials{{id: s.materialIDs.identify(k.id, first.Bytes()), state: materialCurrent, key: first}}
	}
	return out, s.keys.locked(func(t tx) error {
		k.created, k.now = t.now, t.now
		t.put(k)
		c.keyID, out.KeyMetadata = k.id, s.metadata(k)
		if s.rules.isQKMS() {
			out.KeyMetadata.asQKMSCreatesKeys(s.rules)
		}
		return nil
	})
}

// newKey makes the key that the request asks for, without material.
func (s *Server) newKey(c *call, in createKeyInput) (*key, error) {
	spec, usage, err := s.rules.specOf(in)
	if err != nil {
		return nil, err
	}
	k := &key{
		id: newUUID(), region: c.region, spec: spec, usage: usage, origin: in.origin, description: in.description,
		tokens: &tokenLedger{},
	}
	if in.multiRegion {
		if s.rules.isQKMS() {
			return nil, errUnsupported("multi-Region keys are not supported")
		}
		k.id, k.family = newMultiRegionID(), &family{primary: c.region}
	}
	k.arn = s.names.keyARN(k.place())
	if k.policy, err = s.parsePolicy(c, k, in.policy, in.bypass); err != nil {
		return nil, err
	}
	k.tags, err = newTags(nil, in.tags)
	return k, err
}

// specOf returns the kind of key that the request asks for.
func (r rules) specOf(in createKeyInput) (spec material.Spec, usage string, err error) {
	name := in.keySpec
	switch {
	case in.keySpec != "" && in.legacySpec != "":
		return spec, "", errValidation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	case in.legacySpec != "":
		name = in.legacySpec
	case in.keySpec == "":
		name = symmetricDefault
	}
	if in.keyUsage == "" && name != symmetricDefault {
		return spec, "", errValidation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	spec, _ = material.FindSpec(name) // the name was one of the list
	if err := r.checkOrigin(spec, in.origin); err != nil {
		return spec, "", err
	}
	usage = in.keyUsage
	if usage == "" {
		usage = spec.Usages()[0]
	}
	if !slices.Contains(spec.Usages(), usage) {
		return spec, "", errValidation("KeyUsage %s is not compatible with KeySpec %s", usage, name)
	}
	return spec, usage, nil
}

// checkOrigin refuses keys that KMS, or this server, cannot make.
func (r rules) checkOrigin(spec material.Spec, origin string) error {
	switch {
	case origin != originKMS && origin != originExternal && origin != originQKMS:
		return errUnsupported("origin %s is not supported by the local KMS", origin)
	case !r.knowsSpec(spec.Name()):
		return errUnsupported("key spec %s is not supported", spec.Name())
	case origin != originExternal && !spec.Generates():
		return errUnsupported("key spec %s is not supported by the local KMS", spec.Name())
	case origin == originExternal && !r.imports(spec):
		return errUnsupported("Origin EXTERNAL is not valid for key spec %s.", spec.Name())
	}
	return nil
}

// imports tells whether keys of a spec take imported material.
func (r rules) imports(spec material.Spec) bool {
	return spec.Importable() || spec.Uncertain() && r.assumed[UnlistedKeySpecs]
}

// newMultiRegionID returns the ID of a multi-Region key: "mrk-" and 32 random hexadecimal digits.
func newMultiRegionID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return multiRegionPrefix + hex.EncodeToString(b[:])
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

func (s *Server) describeKey(c *call, in keyRef) (out keyMetadataOutput, err error) {
	k, err := s.findByAnyName(c, in.keyID)
	if err != nil {
		return out, err
	}
	return keyMetadataOutput{s.metadata(k)}, nil
}

func (s *Server) enableKey(c *call, in keyRef) (empty, error) { return s.setDisabled(c, in, false) }

func (s *Server) disableKey(c *call, in keyRef) (empty, error) { return s.setDisabled(c, in, true) }

func (s *Server) setDisabled(c *call, in keyRef, disabled bool) (empty, error) {
	return empty{}, s.change(c, in.keyID, func(_ tx, k *key) error { return k.setDisabled(disabled, s.rules) })
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html
type listKeysInput struct {
	page
}

func (in *listKeysInput) read(r *reader) { in.page.read(r, 100, 1000) }

type keyListEntry struct {
	KeyID  string `json:"KeyId"`
	KeyARN string `json:"KeyArn"`
}

type listKeysOutput struct {
	Keys       []keyListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// listKeys pages by the number of the key rather than by its place in the list, so that pages stay put.
func (s *Server) listKeys(c *call, in listKeysInput) (out listKeysOutput, err error) {
	after, err := in.offset()
	if err != nil {
		return out, err
	}
	out.Keys = []keyListEntry{}
	return out, s.keys.locked(func(t tx) error {
		keys, next := t.page(c.region, after, in.limit)
		for _, k := range keys {
			out.Keys = append(out.Keys, keyListEntry{KeyID: k.id, KeyARN: k.arn})
		}
		if next != 0 {
			out.NextMarker, out.Truncated = strconv.Itoa(next), true
		}
		return nil
	})
}
