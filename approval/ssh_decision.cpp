// Signing and verifying decisions with OpenSSH's own program.
#include "approval/decision.hpp"
#include "approval/ssh_signature.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "base/process.hpp"

#include <utility>

namespace interlock::approval {

namespace {

/// Removed with everything in it, whatever happens.
class PrivateDirectory {
public:
    static base::Result<PrivateDirectory> make() {
        INTERLOCK_TRY(std::string path, base::make_temporary_directory("interlock-decision"));
        return PrivateDirectory(std::move(path));
    }
    PrivateDirectory(PrivateDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    PrivateDirectory& operator=(PrivateDirectory&&) = delete;
    ~PrivateDirectory() {
        if (!path_.empty())
            (void)base::remove_recursively(path_);
    }
    /// Writes a file of ours and returns its path.
    base::Result<std::string> put(const std::string& name, std::string_view content) const {
        std::string path = path_ + "/" + name;
        INTERLOCK_CHECK(base::write_file_atomically(path, content));
        return path;
    }

private:
    explicit PrivateDirectory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

base::Error invalid(std::string what, std::string remedy) {
    return base::Error{base::Errc::invalid_signature, std::move(what), std::move(remedy)};
}

constexpr int not_executable = 127;

/// Whether ssh-keygen may ask a person for a passphrase at the terminal.
enum class Asking { never, at_terminal };

base::Result<base::Output> ssh_keygen(
    std::vector<std::string> arguments,
    std::string_view input,
    std::chrono::milliseconds deadline,
    Asking asking
) {
    arguments.insert(arguments.begin(), "ssh-keygen");
    base::Command command;
    command.arguments = std::move(arguments);
    // Who may ask stays in the terminal's foreground group, or it would be stopped at the prompt.
    // Who may not never looks for a terminal.
    command.keep_terminal = asking == Asking::at_terminal;
    if (asking == Asking::never)
        command.environment = {{"SSH_ASKPASS_REQUIRE", "force"}};
    auto output = base::run(command, input, deadline);
    const bool missing = output.ok() ? output->exit_code == not_executable
                                     : output.error().code == base::Errc::not_found ||
                                           output.error().code == base::Errc::io;
    if (missing)
        return base::Error{
            base::Errc::not_supported,
            "ssh-keygen could not be started, so no signature can be made or verified.",
            "Install OpenSSH's client (Debian: openssh-client) and see that PATH finds it."};
    return output;
}

/// 20261121030000Z: what -Overify-time takes.
std::string verify_time(base::Time at) {
    std::string digits;
    for (const char c : base::format_time(at).substr(0, 19))
        if (c >= '0' && c <= '9')
            digits += c;
    return digits + "Z";
}

/// The files one verification reads: copies, so that every question below is about the same bytes.
struct Inputs {
    std::string signature;
    std::string signers;
    std::string revoked; // "" = none
};

class Verification {
public:
    Verification(const SignedDecision& decision, std::string approver, Inputs inputs, base::Time at)
        : decision_(decision),
          approver_(std::move(approver)),
          inputs_(std::move(inputs)),
          at_(at) {}

    base::Result<bool> good(bool with_revocations) const {
        std::vector<std::string> arguments{
            "-Y",
            "verify",
            "-n",
            std::string(ssh_namespace),
            "-I",
            approver_,
            "-f",
            inputs_.signers,
            "-s",
            inputs_.signature,
            "-O",
            "verify-time=" + verify_time(at_)};
        if (with_revocations && !inputs_.revoked.empty())
            arguments.insert(arguments.end(), {"-r", inputs_.revoked});
        return says_yes(std::move(arguments));
    }
    /// Whether the key made this signature over these bytes, whoever it belongs to.
    base::Result<bool> authentic() const {
        return says_yes(
            {"-Y", "check-novalidate", "-n", std::string(ssh_namespace), "-s", inputs_.signature}
        );
    }

private:
    base::Result<bool> says_yes(std::vector<std::string> arguments) const {
        INTERLOCK_TRY(
            const base::Output output,
            ssh_keygen(
                std::move(arguments),
                decision_.statement,
                base::limits::child_deadline,
                Asking::never
            )
        );
        return output.exit_code == 0;
    }

    const SignedDecision& decision_;
    std::string approver_;
    Inputs inputs_;
    base::Time at_;
};

/// Why ssh-keygen said no, by asking smaller questions.
base::Error reason_of_refusal(const Verification& verification, const std::string& approver) {
    const auto authentic = verification.authentic();
    if (!authentic.ok())
        return authentic.error();
    if (!authentic.value())
        return invalid(
            "The signature does not fit the statement: the bytes were changed after signing, or "
            "the signature belongs to another decision.",
            "Sign the decision again."
        );
    const auto without_revocations = verification.good(false);
    if (!without_revocations.ok())
        return without_revocations.error();
    if (without_revocations.value())
        return invalid(
            "The key that signed for " + approver + " is revoked.",
            "Sign with a key that is not; ask who keeps the approvers' keys."
        );
    return invalid(
        "The key that signed for " + approver +
            " is not valid now (expired, not yet valid, or kept for another namespace).",
        "Look at valid-after, valid-before and namespaces on its line in allowed_signers."
    );
}

base::Result<std::string> read_signers(const ApproverKeys& keys) {
    auto signers = base::read_file(keys.allowed_signers, base::limits::signers_file_bytes_max);
    if (keys.allowed_signers.empty() ||
        (!signers.ok() && signers.error().code == base::Errc::not_found))
        return invalid(
            "There is no allowed_signers file, so nobody may decide.",
            "Write one line per approver in it: name, key type, key."
        );
    return signers;
}

/// Refuses what needs no cryptography to be refused, and returns the lines that may be used.
base::Result<std::vector<std::string>> usable_lines(
    const SshSignature& signature, const std::string& approver, const std::string& signers
) {
    if (signature.signed_for != ssh_namespace)
        return invalid(
            "The signature was made for another namespace than " + std::string(ssh_namespace) + ".",
            "Sign with `-n " + std::string(ssh_namespace) + "`, for this decision only."
        );
    SignerLines lines = signer_lines(signers, approver, signature.key_base64);
    if (!lines.anybody)
        return invalid(
            "The allowed_signers file names nobody, so nobody may decide.",
            "Write one line per approver in it: name, key type, key."
        );
    if (!lines.known)
        return invalid(
            approver + " is not an approver: allowed_signers has no line with that name.",
            "Decide as somebody who is listed, or have the name added (patterns do not count)."
        );
    if (lines.with_key.empty())
        return invalid(
            "The key " + signature.fingerprint + " is not one of " + approver + "'s keys.",
            "Sign with a key that stands on " + approver + "'s line in allowed_signers."
        );
    return std::move(lines.with_key);
}

} // namespace

base::Result<SignedDecision>
sign_decision(const DecisionStatement& statement, const std::string& key_path) {
    SignedDecision decision{decision_bytes(statement), ""};
    // What would not be accepted is not signed.
    INTERLOCK_CHECK(parse_decision(decision.statement));
    INTERLOCK_TRY(
        base::Output output,
        ssh_keygen(
            {"-Y", "sign", "-n", std::string(ssh_namespace), "-f", key_path},
            decision.statement,
            base::limits::signing_deadline,
            Asking::at_terminal
        )
    );
    if (output.exit_code != 0 || !parse_ssh_signature(output.out).ok())
        return base::Error{
            base::Errc::permission_denied,
            "ssh-keygen could not sign with the key " + key_path + ".",
            "Name a private key that you can read, and type its passphrase when asked; without a "
            "terminal, add it to the agent first (`ssh-add`) and name its .pub file here."};
    decision.signature = std::move(output.out);
    return decision;
}

base::Result<VerifiedDecision>
verify_decision(const SignedDecision& decision, const ApproverKeys& keys, base::Time at) {
    INTERLOCK_TRY(DecisionStatement statement, parse_decision(decision.statement));
    INTERLOCK_TRY(const SshSignature signature, parse_ssh_signature(decision.signature));
    INTERLOCK_TRY(const std::string signers, read_signers(keys));
    INTERLOCK_TRY(const auto lines, usable_lines(signature, statement.approver, signers));

    INTERLOCK_TRY(const PrivateDirectory directory, PrivateDirectory::make());
    std::string usable;
    for (const auto& line : lines)
        usable += line + "\n";
    Inputs inputs;
    INTERLOCK_TRY(inputs.signers, directory.put("allowed_signers", usable));
    INTERLOCK_TRY(inputs.signature, directory.put("signature", decision.signature));
    if (!keys.revoked_keys.empty()) {
        // A revocation list that cannot be read must not mean that nothing is revoked.
        INTERLOCK_TRY(
            const std::string revoked,
            base::read_file(keys.revoked_keys, base::limits::signers_file_bytes_max)
        );
        INTERLOCK_TRY(inputs.revoked, directory.put("revoked", revoked));
    }

    const Verification verification(decision, statement.approver, std::move(inputs), at);
    INTERLOCK_TRY(const bool good, verification.good(true));
    if (!good)
        return reason_of_refusal(verification, statement.approver);
    const bool hardware = signature.security_key && signature.touched;
    return VerifiedDecision{
        std::move(statement),
        hardware ? runbooks::Assurance::hardware_key : runbooks::Assurance::ssh_key,
        signature.fingerprint,
        lines,
    };
}

} // namespace interlock::approval
