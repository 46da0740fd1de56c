#include "approval/decision.hpp"
#include "base/digest.hpp"
#include "tests/approval/fixture.hpp"

#include <cstdlib>
#include <poll.h>
#include <pty.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::approval {

namespace {

using test::fails;
using test::KeyRing;

/// A statement that stands by itself: no queue is needed to sign or to verify.
DecisionStatement statement_by(const std::string& approver) {
    DecisionStatement statement;
    statement.plan_id = "plan_abcdefghijklmnopqrstuvwxyz";
    statement.plan_digest = std::string(64, 'a');
    statement.presentation_digest = std::string(64, 'b');
    statement.verdict = DecisionVerdict::approve;
    statement.approver = approver;
    statement.nonce = "nonce_abcdefghijklmnop";
    statement.decided_at = "2026-11-21T03:00:00.000000Z";
    statement.log_checkpoint = "7:" + std::string(64, 'c');
    return statement;
}

struct Desk {
    test::TemporaryDirectory directory;
    test::ManualClock clock;
    ApproverKeys keys{directory.file("allowed_signers"), "", {}};

    void signers(const std::string& text) {
        test::must(base::write_file_atomically(keys.allowed_signers, text));
    }
    void revoke(const std::string& text) {
        keys.revoked_keys = directory.file("revoked");
        test::must(base::write_file_atomically(keys.revoked_keys, text));
    }
    base::Result<VerifiedDecision> verify(const SignedDecision& decision) {
        return verify_decision(decision, keys, clock.now());
    }
};

std::string line(const std::string& name, const std::string& key, const std::string& options = "") {
    return name + " " + options + (options.empty() ? "" : " ") + KeyRing::shared().public_key(key) +
           "\n";
}

SignedDecision signed_with(const std::string& key, const std::string& approver) {
    return test::must(sign_decision(statement_by(approver), KeyRing::shared().key(key)));
}

// A security key in software: what a token would answer, made by the rules of PROTOCOL.u2f.

std::string number(std::uint32_t value) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8)
        text += static_cast<char>((value >> shift) & 0xff);
    return text;
}
std::string field(const std::string& bytes) {
    return number(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

struct SoftwareToken {
    base::SigningKey key = base::signing_key_from_seed(std::string(32, '\x07'));
    std::string type = "sk-ssh-ed25519@openssh.com";
    std::string blob = field(type) + field(key.public_key) + field("ssh:");
    std::string public_key = type + " " + base::base64(blob);

    SignedDecision sign(const DecisionStatement& statement, char flags) const {
        const std::string bytes = decision_bytes(statement);
        const std::string name(ssh_namespace);
        const std::string message = "SSHSIG" + field(name) + field("") + field("sha256") +
                                    field(std::string(base::sha256(bytes).view()));
        const std::string counter = number(9);
        const std::string signed_bytes = std::string(base::sha256("ssh:").view()) + flags +
                                         counter + std::string(base::sha256(message).view());
        const std::string signature =
            field(type) + field(base::sign(key, signed_bytes)) + flags + counter;
        const std::string blob_out = "SSHSIG" + number(1) + field(blob) + field(name) + field("") +
                                     field("sha256") + field(signature);
        return {
            bytes,
            "-----BEGIN SSH SIGNATURE-----\n" + base::base64(blob_out) +
                "\n-----END SSH SIGNATURE-----\n"};
    }
};

} // namespace

TEST_CASE("a decision signed by a listed approver verifies and names the key") {
    Desk desk;
    desk.signers(line("bob", "bob") + line("alice", "alice"));
    const auto verified = desk.verify(signed_with("alice", "alice"));
    REQUIRE(verified.ok());
    CHECK(verified->statement.approver == "alice");
    CHECK(verified->assurance == runbooks::Assurance::ssh_key);
    CHECK(verified->key_fingerprint.starts_with("SHA256:"));
    CHECK(verified->key_fingerprint.size() == 50);
}

TEST_CASE("an approver may have several keys and several lines") {
    Desk desk;
    desk.signers(
        line("alice", "bob") + line("carol,alice", "alice", "namespaces=\"interlock-decision\"")
    );
    CHECK(desk.verify(signed_with("alice", "alice")).ok());
    CHECK(desk.verify(signed_with("bob", "alice")).ok());
    CHECK(desk.verify(signed_with("alice", "carol")).ok());
}

TEST_CASE("each thing that is wrong with a decision is told apart") {
    Desk desk;
    desk.signers(line("alice", "alice") + line("bob", "bob"));
    const SignedDecision good = signed_with("alice", "alice");
    REQUIRE(desk.verify(good).ok());
    const auto wrong = base::Errc::invalid_signature;

    SECTION("wrong key") {
        CHECK(fails(desk.verify(signed_with("bob", "alice")), wrong, "is not one of alice's keys"));
    }
    SECTION("unknown approver") {
        CHECK(fails(desk.verify(signed_with("alice", "eve")), wrong, "eve is not an approver"));
    }
    SECTION("changed bytes") {
        SignedDecision changed = good;
        auto statement = statement_by("alice");
        statement.verdict = DecisionVerdict::revoke;
        statement.reason = "changed";
        changed.statement = decision_bytes(statement);
        CHECK(fails(desk.verify(changed), wrong, "the bytes were changed"));
    }
    SECTION("the signature of another decision") {
        auto other = statement_by("alice");
        other.plan_id = "plan_another";
        const auto signature =
            test::must(sign_decision(other, KeyRing::shared().key("alice"))).signature;
        CHECK(fails(desk.verify({good.statement, signature}), wrong, "another decision"));
    }
    SECTION("wrong namespace") {
        base::Command command;
        command.arguments = {
            "ssh-keygen", "-Y", "sign", "-n", "file", "-f", KeyRing::shared().key("alice")};
        const auto output = test::must(base::run(command, good.statement));
        REQUIRE(output.exit_code == 0);
        CHECK(fails(desk.verify({good.statement, output.out}), wrong, "another namespace"));
    }
    SECTION("a key kept for another namespace") {
        desk.signers(line("alice", "alice", "namespaces=\"file\""));
        CHECK(fails(desk.verify(good), wrong, "kept for another namespace"));
    }
    SECTION("expired key, by the given clock") {
        desk.signers(line("alice", "alice", "valid-before=\"20261121030001Z\""));
        CHECK(desk.verify(good).ok());
        desk.clock.advance(std::chrono::seconds{2});
        CHECK(fails(desk.verify(good), wrong, "not valid now"));
    }
    SECTION("key that is not valid yet") {
        desk.signers(line("alice", "alice", "valid-after=\"20261121030001Z\""));
        CHECK(fails(desk.verify(good), wrong, "not valid now"));
        desk.clock.advance(std::chrono::seconds{2});
        CHECK(desk.verify(good).ok());
    }
    SECTION("revoked key, also when it was good before") {
        desk.revoke(KeyRing::shared().public_key("alice") + "\n");
        CHECK(fails(desk.verify(good), wrong, "is revoked"));
        desk.revoke(KeyRing::shared().public_key("bob") + "\n");
        CHECK(desk.verify(good).ok());
    }
    SECTION("a binary revocation list") {
        const std::string krl = desk.directory.file("krl");
        test::ssh_keygen({"-q", "-k", "-f", krl, KeyRing::shared().key("alice") + ".pub"});
        desk.keys.revoked_keys = krl;
        CHECK(fails(desk.verify(good), wrong, "is revoked"));
    }
    SECTION("a revocation list that is missing revokes nothing silently") {
        desk.keys.revoked_keys = desk.directory.file("nowhere");
        CHECK(fails(desk.verify(good), base::Errc::not_found));
    }
    SECTION("a revocation list that cannot be understood") {
        desk.revoke("this is no list of keys\n");
        CHECK_FALSE(desk.verify(good).ok());
    }
    SECTION("no allowed_signers file means nobody") {
        desk.keys.allowed_signers = desk.directory.file("nowhere");
        CHECK(fails(desk.verify(good), wrong, "nobody may decide"));
        desk.keys.allowed_signers = "";
        CHECK(fails(desk.verify(good), wrong, "nobody may decide"));
    }
    SECTION("an empty allowed_signers file means nobody") {
        desk.signers("# nobody\n\n");
        CHECK(fails(desk.verify(good), wrong, "names nobody"));
    }
    SECTION("no signature") {
        CHECK(fails(desk.verify({good.statement, ""}), wrong, "not an SSH signature"));
        CHECK(fails(desk.verify({good.statement, "-----BEGIN"}), wrong, "not an SSH signature"));
    }
}

TEST_CASE("a pattern in allowed_signers lets nobody vote under a name of their choice") {
    Desk desk;
    for (const char* const principals : {"*", "a*", "alice*", "?lice", "*,!bob"}) {
        INFO(principals);
        desk.signers(line(principals, "bob"));
        CHECK_FALSE(desk.verify(signed_with("bob", "alice")).ok());
    }
    // A pattern beside the literal name adds nothing and takes nothing away.
    desk.signers(line("*", "bob") + line("alice", "alice"));
    CHECK(desk.verify(signed_with("alice", "alice")).ok());
    CHECK_FALSE(desk.verify(signed_with("bob", "alice")).ok());
    // A literal line's limits are not loosened by a pattern's line for the same key.
    desk.signers(line("*", "alice") + line("alice", "alice", "valid-before=\"20200101\""));
    CHECK_FALSE(desk.verify(signed_with("alice", "alice")).ok());
}

TEST_CASE("a certificate does not stand in for a listed key") {
    Desk desk;
    const std::string user = desk.directory.file("user");
    test::ssh_keygen({"-q", "-t", "ed25519", "-N", "", "-f", user});
    test::ssh_keygen(
        {"-q", "-s", KeyRing::shared().key("carol"), "-I", "id", "-n", "alice", user + ".pub"}
    );
    desk.signers(line("alice", "carol", "cert-authority") + line("bob", "bob"));
    const std::string bytes = decision_bytes(statement_by("alice"));
    base::Command command;
    command.arguments = {
        "ssh-keygen", "-Y", "sign", "-n", std::string(ssh_namespace), "-f", user + "-cert.pub"};
    const auto output = test::must(base::run(command, bytes));
    if (output.exit_code == 0)
        CHECK(fails(desk.verify({bytes, output.out}), base::Errc::invalid_signature));
    const auto plain = test::must(sign_decision(statement_by("alice"), user));
    CHECK(fails(desk.verify(plain), base::Errc::invalid_signature, "alice is not an approver"));
}

TEST_CASE("a touched security key is hardware assurance, an untouched one is not") {
    const SoftwareToken token;
    Desk desk;
    desk.signers("alice " + token.public_key + "\n");
    const auto touched = desk.verify(token.sign(statement_by("alice"), '\x01'));
    REQUIRE(touched.ok());
    CHECK(touched->assurance == runbooks::Assurance::hardware_key);
    const auto verified = desk.verify(token.sign(statement_by("alice"), '\x05'));
    REQUIRE(verified.ok());
    CHECK(verified->assurance == runbooks::Assurance::hardware_key);
    const auto untouched = desk.verify(token.sign(statement_by("alice"), '\x00'));
    CHECK((!untouched.ok() || untouched->assurance == runbooks::Assurance::ssh_key));

    // The flag is part of what is signed.
    const SignedDecision honest = token.sign(statement_by("alice"), '\x00');
    SignedDecision forged = token.sign(statement_by("alice"), '\x01');
    std::string armor = forged.signature;
    CHECK(armor != honest.signature);
    DecisionStatement other = statement_by("alice");
    other.nonce = "nonce_another_one_here";
    CHECK_FALSE(desk.verify({decision_bytes(other), armor}).ok());
}

TEST_CASE("signing fails clearly when the key cannot be used") {
    test::TemporaryDirectory directory;
    const DecisionStatement statement = statement_by("alice");
    CHECK(fails(
        sign_decision(statement, directory.file("nowhere")),
        base::Errc::permission_denied,
        "could not sign"
    ));
    const std::string locked = directory.file("locked");
    test::ssh_keygen({"-q", "-t", "ed25519", "-N", "a passphrase", "-f", locked});
    ::setenv("SSH_ASKPASS", "/bin/false", 1);
    ::setenv("SSH_ASKPASS_REQUIRE", "force", 1); // also where the tests run at a terminal
    CHECK(fails(sign_decision(statement, locked), base::Errc::permission_denied, "ssh-add"));
    ::unsetenv("SSH_ASKPASS");
    ::unsetenv("SSH_ASKPASS_REQUIRE");
}

TEST_CASE("a passphrase is asked for at the terminal") {
    test::TemporaryDirectory directory;
    const std::string locked = directory.file("locked");
    test::ssh_keygen({"-q", "-t", "ed25519", "-N", "a passphrase", "-f", locked});
    int terminal = -1;
    const pid_t person = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    REQUIRE(person >= 0);
    if (person == 0) // the leader of a session with a terminal, as a shell's command is
        ::_exit(sign_decision(statement_by("alice"), locked).ok() ? 0 : 1);
    std::string shown;
    bool answered = false;
    pollfd waiting{terminal, POLLIN, 0};
    for (char bytes[256]; ::poll(&waiting, 1, 20'000) > 0;) {
        const auto count = ::read(terminal, bytes, sizeof bytes);
        if (count <= 0)
            break; // everybody has left the terminal
        shown.append(bytes, static_cast<std::size_t>(count));
        if (!answered && shown.find("passphrase") != std::string::npos)
            answered = ::write(terminal, "a passphrase\n", 13) == 13;
    }
    ::close(terminal); // hangs up on who still waits
    int status = -1;
    REQUIRE(::waitpid(person, &status, 0) == person);
    CHECK(answered);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("a missing ssh-keygen is told as such") {
    Desk desk;
    desk.signers(line("alice", "alice"));
    const SignedDecision good = signed_with("alice", "alice");
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", desk.directory.path().c_str(), 1);
    const auto verified = desk.verify(good);
    const auto made = sign_decision(statement_by("alice"), KeyRing::shared().key("alice"));
    ::setenv("PATH", path.c_str(), 1);
    CHECK(fails(verified, base::Errc::not_supported, "ssh-keygen could not be started"));
    CHECK(fails(made, base::Errc::not_supported, "ssh-keygen could not be started"));
}

TEST_CASE("verification leaves nothing behind") {
    Desk desk;
    desk.signers(line("alice", "alice"));
    const SignedDecision good = signed_with("alice", "alice");
    test::TemporaryDirectory scratch;
    ::setenv("TMPDIR", scratch.path().c_str(), 1);
    const bool verified = desk.verify(good).ok();
    const bool refused = !desk.verify({good.statement + " ", good.signature}).ok();
    ::unsetenv("TMPDIR");
    CHECK(verified);
    CHECK(refused);
    base::Command command;
    command.arguments = {"ls", "-A", scratch.path()};
    CHECK(test::must(base::run(command)).out.empty());
}

} // namespace interlock::approval
