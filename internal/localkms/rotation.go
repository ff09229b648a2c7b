package localkms

import (
	"slices"
	"time"
)

// rotation is a rotation on demand under way.
type rotation struct {
	started time.Time
	done    time.Time
}

// finishRotation makes the material that waited for it current.
func (k *key) finishRotation() {
	k.materials = slices.Clone(k.materials)
	if i := k.materials.pending(); i >= 0 {
		if current := k.materials.current(); current >= 0 {
			k.materials[current].state = materialNonCurrent
		}
		k.materials[i].state, k.materials[i].rotatedAt = materialCurrent, k.rotation.done
	}
	k.rotation = nil
}

type keyIDOutput struct {
	KeyID string `json:"KeyId"`
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html
func (s *Server) rotateKeyOnDemand(c *call, in keyRef) (out keyIDOutput, err error) {
	return out, s.change(c, in.keyID, func(t tx, k *key) error {
		if err := s.rules.checkRotatable(k); err != nil {
			return err
		}
		if !k.isExternal() {
			if err := s.generatePending(k); err != nil {
				return err
			}
		}
		i := k.materials.pending()
		if i < 0 || k.materials[i].state != materialPendingRotation {
			return errNothingPending(k.arn)
		}
		k.rotation, k.rotations = &rotation{started: t.now, done: t.now.Add(s.rotationTime)}, k.rotations+1
		out.KeyID = k.arn
		return nil
	})
}

// checkRotatable looks at the state before it looks at whether the key is of the right kind, as AWS does.
func (r rules) checkRotatable(k *key) error {
	if k.state() != stateEnabled {
		return r.stateError(k)
	}
	switch {
	case !k.spec.HasMaterialID():
		return errUnsupported("%s key spec is %s which is not valid for this operation.", k.arn, k.spec.Name())
	case k.isReplica():
		return errUnsupported("%s is a replica key. Rotate its primary key.", k.arn)
	case k.family != nil && r.assumed[NoMultiRegionRotation]:
		return errUnsupported("%s is a multi-Region key which is not valid for this operation.", k.arn)
	case k.rotation != nil:
		return errRotationInProgress(k.arn)
	case k.rotations >= r.rotationLimit():
		return errRotationLimit(k.arn)
	}
	return nil
}

// generatePending makes the next material of a key whose material KMS makes.
func (s *Server) generatePending(k *key) error {
	next, err := k.spec.Generate()
	if err != nil {
		return err
	}
	k.materials = append(k.materials, keyMaterial{
		id: s.materialIDs.identify(k.id, next.Bytes()), state: materialPendingRotation, key: next,
	})
	return nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html
type keyRotationStatusOutput struct {
	KeyID                     string `json:"KeyId"`
	KeyRotationEnabled        bool
	OnDemandRotationStartDate timestamp `json:",omitzero"`
}

func (s *Server) getKeyRotationStatus(c *call, in keyRef) (out keyRotationStatusOutput, err error) {
	k, err := s.find(c, in.keyID)
	if err != nil {
		return out, err
	}
	if k.state() == statePendingDeletion {
		return out, s.rules.stateError(k)
	}
	out.KeyID = k.arn
	if k.rotation != nil {
		out.OnDemandRotationStartDate = s.stamp(k.rotation.started)
	}
	return out, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html
type listKeyRotationsInput struct {
	page
	keyID string
	all   string
}

const (
	rotationsOnly  = "ROTATIONS_ONLY"
	allKeyMaterial = "ALL_KEY_MATERIAL"
)

func (in *listKeyRotationsInput) read(r *reader) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	in.all = rotationsOnly
	r.enum("IncludeKeyMaterial", &in.all, allKeyMaterial, rotationsOnly)
	in.page.read(r, 100, 1000)
}

type rotationEntry struct {
	KeyID                  string `json:"KeyId"`
	KeyMaterialID          string `json:"KeyMaterialId"`
	KeyMaterialDescription string `json:",omitempty"`
	ImportState            string `json:",omitempty"`
	KeyMaterialState       materialState
	ExpirationModel        string    `json:",omitempty"`
	ValidTo                timestamp `json:",omitzero"`
	RotationDate           timestamp `json:",omitzero"`
	RotationType           string    `json:",omitempty"`
}

type listKeyRotationsOutput struct {
	Rotations  []rotationEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

func (s *Server) listKeyRotations(c *call, in listKeyRotationsInput) (out listKeyRotationsOutput, err error) {
	k, err := s.find(c, in.keyID)
	if err != nil {
		return out, err
	}
	if !k.spec.HasMaterialID() {
		return out, errUnsupported("%s key spec is %s which is not valid for this operation.", k.arn, k.spec.Name())
	}
	var entries []rotationEntry
	for _, one := range k.materials {
		if in.all == allKeyMaterial || !one.rotatedAt.IsZero() {
			entries = append(entries, s.rotationEntry(k, one))
		}
	}
	out.Rotations, out.NextMarker, err = paged(in.page, entries)
	out.Truncated = out.NextMarker != ""
	return out, err
}

func (s *Server) rotationEntry(k *key, one keyMaterial) rotationEntry {
	e := rotationEntry{
		KeyID: k.arn, KeyMaterialID: one.id, KeyMaterialDescription: one.description, KeyMaterialState: one.state,
		ExpirationModel: one.expiry.model, ValidTo: s.stamp(one.expiry.validTo), RotationDate: s.stamp(one.rotatedAt),
	}
	if k.isExternal() {
		e.ImportState = "IMPORTED"
		if one.key == nil {
			e.ImportState = "PENDING_IMPORT"
		}
	}
	if !one.rotatedAt.IsZero() {
		e.RotationType = "ON_DEMAND"
	}
	return e
}
