package localkms

import (
	"time"
)

// replicaCreation is how long a replica is Creating. AWS says seconds.
const replicaCreation = 2 * time.Second

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ReplicateKey.html
type replicateKeyInput struct {
	keyID       string
	region      string
	description string
	policy      string
	bypass      bool
	tags        []tag
}

func (in *replicateKeyInput) read(r *reader) {
	r.require("KeyId", "ReplicaRegion")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.text("ReplicaRegion", &in.region, 1, 32)
	r.text("Description", &in.description, 0, 8192)
	r.policy(&in.policy)
	r.boolean("BypassPolicyLockoutSafetyCheck", &in.bypass)
	r.tags("Tags", &in.tags)
}

// conditions are what key policies can ask about the request.
func (in *replicateKeyInput) conditions() map[string]string {
	return map[string]string{"kms:ReplicaRegion": in.region}
}

type replicateKeyOutput struct {
	ReplicaKeyMetadata keyMetadata
	ReplicaPolicy      string
	ReplicaTags        []tag `json:",omitempty"`
}

// replicateKey makes a key with the same ID in another Region. A replica of an imported key has no material until it is
// given the same bytes.
func (s *Server) replicateKey(c *call, in replicateKeyInput) (out replicateKeyOutput, err error) {
	if !s.isRegion(in.region) {
		return out, errValidation("Invalid ReplicaRegion '%s'", abridged(in.region))
	}
	return out, s.change(c, in.keyID, func(t tx, k *key) error {
		if err := s.rules.checkReplicable(t, k, in.region); err != nil {
			return err
		}
		copied, err := s.newReplica(c, k, in)
		if err != nil {
			return err
		}
		copied.created, copied.creatingTo, copied.now = t.now, t.now.Add(replicaCreation), t.now
		k.family = k.family.with(replica{region: in.region})
		copied.family = k.family
		t.put(copied)
		out = replicateKeyOutput{ReplicaKeyMetadata: s.metadata(copied), ReplicaPolicy: s.policyText(copied), ReplicaTags: tagList(copied.tags)}
		return nil
	})
}

// newReplica makes the replica of a key, without material. Policy and tags are its own.
func (s *Server) newReplica(c *call, k *key, in replicateKeyInput) (copied *key, err error) {
	copied = &key{
		id: k.id, region: in.region, arn: s.names.keyARN(place{in.region, k.id}), spec: k.spec, usage: k.usage, origin: k.origin,
		description: in.description, rotations: k.rotations, tokens: &tokenLedger{},
	}
	if copied.policy, err = s.parsePolicy(c, copied, in.policy, in.bypass); err != nil {
		return nil, err
	}
	copied.tags, err = newTags(nil, in.tags)
	return copied, err
}

// checkReplicable refuses keys that cannot have a replica in a Region.
func (r rules) checkReplicable(t tx, k *key, region string) error {
	if err := r.checkLive(k); err != nil {
		return err
	}
	switch {
	case k.family == nil:
		return errUnsupported("%s is not a multi-Region key which is not valid for this operation.", k.arn)
	case k.isReplica():
		return errUnsupported("%s is a replica key which is not valid for this operation.", k.arn)
	case region == k.region || t.latest(place{region, k.id}) != nil:
		return clientError("AlreadyExistsException", "The multi-Region key %s exists in %s.", k.id, region)
	}
	return nil
}
