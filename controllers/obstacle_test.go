package controllers

import (
	"errors"
	"fmt"
	"net"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What a status says of an error is stable, and names nothing that belongs to others.
func TestObstacle(t *testing.T) {
	imports := schema.GroupResource{Group: "kms.keyimport.dev", Resource: "kmskeyimports"}
	cases := map[string]struct {
		reason string
		cause  error
		want   string
	}{
		"answered": {
			"whose object it is about is nobody's business",
			fmt.Errorf("get owner of KMSKeyRecord: %w", apierrors.NewForbidden(imports, "team-b-card-key", errors.New("no"))),
			"get owner of KMSKeyRecord: Kubernetes answered Forbidden (see the operator's log)",
		},
		"not answered": {
			"the port differs at each try",
			fmt.Errorf("get Secret: %w", &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset")}),
			"get Secret failed (see the operator's log)",
		},
		"our own": {
			"it says what to do",
			errors.New("KMSKeyRecord key-1 is about another key than its name says: delete it if it was made by hand"),
			"KMSKeyRecord key-1 is about another key than its name says: delete it if it was made by hand",
		},
	}
	for name, tc := range cases {
		if got := obstacle(tc.cause); got != tc.want {
			t.Errorf("%s: %s: got %q", name, tc.reason, got)
		}
	}
}
