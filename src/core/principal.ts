/**
 * Who is asking. The kind is a field of its own and is never derived by cutting a string (threat J-10); the text form
 * exists for the wire and for policies only.
 */
export type Principal =
  | { readonly kind: 'user'; readonly uid: string }
  | { readonly kind: 'oidc'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'saml'; readonly role: string }
  | { readonly kind: 'static'; readonly id: string };

/** Short form used in organization policies and in `principalName`: contract control-plane 7.2. */
export function principalName(principal: Principal): string {
  switch (principal.kind) {
    case 'user':
      return `coreweave/${principal.uid}`;
    case 'oidc':
      return `role/${principal.issuer}:${principal.subject}`;
    case 'saml':
      return `role/${principal.role}`;
    case 'static':
      return `static/${principal.id}`;
  }
}

/** Full form used in bucket policies: contract control-plane 7.6. */
export function principalArn(orgId: string, principal: Principal): string {
  return `arn:aws:iam::${orgId}:${principalName(principal)}`;
}

/**
 * A request's identity once it has been proved. The organization is part of it (threat A-11); `anonymous` means that
 * the request carried no credential of any kind.
 */
export type Caller =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'principal';
      readonly orgId: string;
      readonly principal: Principal;
      /** `principalName(principal)`, computed once when the identity is established. */
      readonly name: string;
      /** Present when the request was signed with an access key. */
      readonly accessKeyId?: string;
      /** SCIM groups attached to the key; condition key `iam:<ORG-ID>:groups`. */
      readonly groups?: readonly string[];
    };

export const ANONYMOUS: Caller = Object.freeze({ kind: 'anonymous' });
