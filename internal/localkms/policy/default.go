package policy

import "fmt"

// Default returns the policy that KMS gives to a key created by API without one, letter for letter as GetKeyPolicy
// shows it on AWS. It lets the account's IAM policies decide everything. accountARN is the account as a principal,
// such as arn:aws:iam::111122223333:root; it is a parameter as a whole because the one on QKMS,
// arn:verenc:111122223333:root, differs in more than the partition.
func Default(accountARN string) string {
	return fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : %q
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`, accountARN)
}
