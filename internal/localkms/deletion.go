package localkms

import "strconv"

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

// conditions are what key policies can ask about the request.
func (in *scheduleKeyDeletionInput) conditions() map[string]string {
	return map[string]string{"kms:ScheduleKeyDeletionPendingWindowInDays": strconv.Itoa(in.days)}
}

type scheduleKeyDeletionOutput struct {
	KeyID               string `json:"KeyId"`
	KeyState            keyState
	DeletionDate        timestamp `json:",omitzero"`
	PendingWindowInDays int
}

// scheduleKeyDeletion starts the waiting period; that of a primary key begins when its last replica is gone.
func (s *Server) scheduleKeyDeletion(c *call, in scheduleKeyDeletionInput) (out scheduleKeyDeletionOutput, err error) {
	return out, s.change(c, in.keyID, func(t tx, k *key) error {
		if err := s.rules.checkLive(k); err != nil {
			return err
		}
		k.scheduled = &scheduledDeletion{at: t.now, days: in.days}
		k.tellFamily()
		out = scheduleKeyDeletionOutput{
			KeyID: k.arn, KeyState: k.state(), DeletionDate: s.stamp(k.deletionDate()), PendingWindowInDays: in.days,
		}
		return nil
	})
}

// tellFamily keeps the family's account of when a replica will be gone.
func (k *key) tellFamily() {
	if k.isReplica() {
		k.family = k.family.with(replica{region: k.region, goneAt: k.deletionDate()})
	}
}

func (s *Server) cancelKeyDeletion(c *call, in keyRef) (out keyIDOutput, err error) {
	return out, s.change(c, in.keyID, func(_ tx, k *key) error {
		if err := k.cancelDeletion(); err != nil {
			return err
		}
		k.tellFamily()
		out.KeyID = k.arn
		return nil
	})
}
