package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const tenantName = "mallory"

// newTenant is somebody who may edit KMSKeyImports and Secrets of one namespace, and nothing else.
func newTenant(ctx context.Context, namespace string) client.Client {
	GinkgoHelper()
	user, err := environment.AddUser(envtest.User{Name: tenantName}, nil)
	Expect(err).NotTo(HaveOccurred())
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: tenantName}}
	secrets := metav1.ObjectMeta{Namespace: namespace, Name: "secrets"}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: secrets, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
		}}},
		&rbacv1.RoleBinding{
			ObjectMeta: secrets, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "secrets"},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "imports"}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kmskeyimport-editor"},
		},
	} {
		Expect(k8s.Create(ctx, object)).To(Succeed())
	}
	tenant, err := client.New(user.Config(), client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return tenant
}

// as does something with another user's rights, while nobody else does anything.
func as(user client.Client, do func()) {
	own := k8s
	k8s = user
	defer func() { k8s = own }()
	do()
}
