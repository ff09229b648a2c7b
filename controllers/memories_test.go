package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

func TestMemories(t *testing.T) {
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	second := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	name := types.NamespacedName{Namespace: "payments", Name: "card-key"}
	other := types.NamespacedName{Namespace: "payments", Name: "other"}
	importedAt := func(at time.Time) v1alpha1.ImportedMaterial {
		return v1alpha1.ImportedMaterial{
			MaterialImport: v1alpha1.MaterialImport{ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, Time: metav1.NewTime(at),
		}
	}
	full := kms.Key{State: "Enabled", Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}}
	empty := kms.Key{State: "PendingImport"}
	cases := map[string]struct {
		reason string
		live   func(*memories)
		want   plan.Memory
	}{
		"nothing":  {"first sight is now", func(*memories) {}, plan.Memory{FirstSeen: second(9)}},
		"seen":     {"first sight is kept", func(m *memories) { m.of(name, "uid-1", second(1)); m.of(name, "uid-1", second(2)) }, plan.Memory{FirstSeen: second(1)}},
		"looked":   {"the last look", seen(name, second(1), func(m *memories) { m.looked(name, second(2)); m.looked(name, second(3)) }), plan.Memory{FirstSeen: second(1), LastLook: second(3)}},
		"imported": {"the last import of this process", seen(name, second(1), func(m *memories) { m.imported(name, second(2), plan.Requests{Reconcile: "asked at noon"}) }), plan.Memory{FirstSeen: second(1), ImportedHere: second(2), Served: plan.Requests{Reconcile: "asked at noon"}}},
		"refused": {
			"the last refusal", seen(name, second(1), func(m *memories) {
				m.refused(name, plan.Refusal{Err: &kms.Error{Class: "Unsupported"}})
				m.refused(name, plan.Refusal{Import: plan.ImportMaterial{Expect: "fingerprint-1"}, Err: &kms.Error{Class: "MaterialRefused"}})
			}),
			plan.Memory{FirstSeen: second(1), Refusal: plan.Refusal{Import: plan.ImportMaterial{Expect: "fingerprint-1"}, Err: &kms.Error{Class: "MaterialRefused"}}},
		},
		"made again": {"the same name, another object", seen(name, second(1), func(m *memories) { m.looked(name, second(2)); m.of(name, "uid-2", second(3)); m.forget(name) }), plan.Memory{FirstSeen: second(9)}},
		"replaced":   {"memories are one object's", func(m *memories) { m.of(name, "uid-0", second(1)); m.looked(name, second(2)) }, plan.Memory{FirstSeen: second(9)}},
		"forgotten":  {"it is gone", seen(name, second(1), func(m *memories) { m.looked(name, second(2)); m.forget(name) }), plan.Memory{FirstSeen: second(9)}},
		"another's":  {"each has its own", seen(name, second(1), func(m *memories) { m.of(other, "uid-9", second(2)); m.looked(other, second(3)); m.forget(other) }), plan.Memory{FirstSeen: second(1)}},
		"not seen": {"nothing to change", func(m *memories) {
			m.looked(name, second(1))
			m.imported(name, second(1), plan.Requests{Reconcile: "asked at noon"})
		}, plan.Memory{FirstSeen: second(9)}},
		"confirmed": {
			"a look agrees with the import",
			seen(name, second(1), func(m *memories) { m.compared(name, importedAt(second(2)), full, second(3)) }),
			plan.Memory{FirstSeen: second(1), Confirmed: second(2)},
		},
		"contradicted": {
			"since the first look that did",
			seen(name, second(1), func(m *memories) {
				m.compared(name, importedAt(second(2)), empty, second(3))
				m.compared(name, importedAt(second(2)), empty, second(4))
			}),
			plan.Memory{FirstSeen: second(1), ContradictedSince: second(3)},
		},
		"confirmed, then contradicted": {
			"both are known",
			seen(name, second(1), func(m *memories) {
				m.compared(name, importedAt(second(2)), full, second(3))
				m.compared(name, importedAt(second(2)), empty, second(4))
			}),
			plan.Memory{FirstSeen: second(1), Confirmed: second(2), ContradictedSince: second(4)},
		},
		"contradicted, then confirmed": {
			"the contradiction is over, and a later one starts anew",
			seen(name, second(1), func(m *memories) {
				m.compared(name, importedAt(second(2)), empty, second(3))
				m.compared(name, importedAt(second(2)), full, second(4))
				m.compared(name, importedAt(second(2)), empty, second(5))
			}),
			plan.Memory{FirstSeen: second(1), Confirmed: second(2), ContradictedSince: second(5)},
		},
		"imported again": {
			"what was seen of the import before says nothing about this one, even in the same second",
			seen(name, second(1), func(m *memories) {
				m.compared(name, importedAt(second(2)), full, second(2))
				m.compared(name, importedAt(second(2)), empty, second(2))
				m.imported(name, second(2), plan.Requests{})
			}),
			plan.Memory{FirstSeen: second(1), ImportedHere: second(2)},
		},
		"imported again for a request": {
			"the last request that an import has served",
			seen(name, second(1), func(m *memories) {
				m.imported(name, second(2), plan.Requests{Reconcile: "asked at noon"})
				m.imported(name, second(3), plan.Requests{Reconcile: "asked at one"})
			}),
			plan.Memory{FirstSeen: second(1), ImportedHere: second(3), Served: plan.Requests{Reconcile: "asked at one"}},
		},
		"imported again for none": {
			"the annotation was taken away meanwhile",
			seen(name, second(1), func(m *memories) {
				m.imported(name, second(2), plan.Requests{Reconcile: "asked at noon"})
				m.imported(name, second(3), plan.Requests{})
			}),
			plan.Memory{FirstSeen: second(1), ImportedHere: second(3)},
		},
	}
	for caseName, tc := range cases {
		t.Run(caseName, func(t *testing.T) {
			m := newMemories()
			tc.live(m)
			if diff := cmp.Diff(tc.want, m.of(name, "uid-1", second(9))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// seen lives on after a first sight.
func seen(name types.NamespacedName, at time.Time, live func(*memories)) func(*memories) {
	return func(m *memories) {
		m.of(name, "uid-1", at)
		live(m)
	}
}

// What the plan is given is a copy.
func TestMemoriesAreNotShared(t *testing.T) {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	name := types.NamespacedName{Namespace: "payments", Name: "card-key"}
	m := newMemories()
	got := m.of(name, "uid-1", at)
	got.LastLook = at
	if again := m.of(name, "uid-1", at); !again.LastLook.IsZero() {
		t.Errorf("a memory was changed from outside: %+v", again)
	}
}
