// What stands in an armored SSH signature and in an allowed_signers file (PROTOCOL.sshsig,
// ssh-keygen(1)). Read to tell failures apart and to know which key signed; whether a signature is
// good is ssh-keygen's answer alone.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::approval {

struct SshSignature {
    std::string key_type;      // "ssh-ed25519", "sk-ssh-ed25519@openssh.com", ...
    std::string key_base64;    // as it stands in allowed_signers
    std::string fingerprint;   // "SHA256:...", as ssh-keygen prints it
    std::string signed_for;    // namespace
    bool security_key = false; // an sk- key
    bool touched = false;      // sk-: the token says that a person was present
};
/// invalid_signature when the text is no such signature, or was made with a certificate (which
/// would let a CA name approvers that allowed_signers does not).
base::Result<SshSignature> parse_ssh_signature(std::string_view armored);

/// The lines of an allowed_signers file that count for one approver: those that write the approver
/// literally. Each comes back with its principals replaced by the approver alone; lines with a
/// negation, and certificate authorities, never count.
struct SignerLines {
    bool anybody = false;              // the file names somebody
    bool known = false;                // the approver is on some line
    std::vector<std::string> with_key; // lines of the approver that carry the key
};
SignerLines signer_lines(
    std::string_view allowed_signers, std::string_view approver, std::string_view key_base64
);

} // namespace interlock::approval
