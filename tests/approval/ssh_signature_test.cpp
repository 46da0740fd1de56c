#include "approval/ssh_signature.hpp"
#include "base/digest.hpp"
#include "tests/approval/fixture.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::approval {

namespace {

std::string sample_signature() {
    test::Office office;
    return office.signed_by("alice", office.submitted()).signature;
}

std::string armored(const std::string& bytes) {
    return "-----BEGIN SSH SIGNATURE-----\n" + base::base64(bytes) +
           "\n-----END SSH SIGNATURE-----\n";
}

std::string unarmored(const std::string& signature) {
    std::string text;
    for (std::size_t at = signature.find('\n') + 1; signature[at] != '-'; ++at)
        if (signature[at] != '\n')
            text += signature[at];
    return test::must(base::from_base64(text));
}

} // namespace

TEST_CASE("a signature says which key made it and what for") {
    const auto signature = parse_ssh_signature(sample_signature());
    REQUIRE(signature.ok());
    CHECK(signature->key_type == "ssh-ed25519");
    CHECK(signature->signed_for == "interlock-decision");
    CHECK_FALSE(signature->security_key);
    CHECK_FALSE(signature->touched);
    const std::string line = test::KeyRing::shared().public_key("alice");
    CHECK(line.find(" " + signature->key_base64 + " ") != std::string::npos);

    // The fingerprint is the one that ssh-keygen prints.
    base::Command command;
    command.arguments = {"ssh-keygen", "-l", "-f", test::KeyRing::shared().key("alice")};
    const auto listed = test::must(base::run(command));
    CHECK(listed.out.find(signature->fingerprint + " ") != std::string::npos);
}

TEST_CASE("what is no signature is refused at every length") {
    const std::string good = sample_signature();
    const std::string bytes = unarmored(good);
    CHECK(parse_ssh_signature(armored(bytes)).ok());
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        INFO(length);
        CHECK(test::fails(
            parse_ssh_signature(armored(bytes.substr(0, length))), base::Errc::invalid_signature
        ));
    }
    CHECK_FALSE(parse_ssh_signature(armored(bytes + "x")).ok());
    CHECK_FALSE(parse_ssh_signature("").ok());
    CHECK_FALSE(parse_ssh_signature("-----BEGIN SSH SIGNATURE-----").ok());
    CHECK_FALSE(parse_ssh_signature("-----BEGIN SSH SIGNATURE----------END SSH SIGNATURE-----").ok()
    );
    CHECK_FALSE(parse_ssh_signature("x" + good).ok());
    CHECK_FALSE(parse_ssh_signature(good + good).ok());
    CHECK_FALSE(parse_ssh_signature(good + std::string(1 << 20, ' ')).ok());
    std::string huge = bytes;
    huge.replace(10, 4, "\xff\xff\xff\xff"); // the key's length
    CHECK_FALSE(parse_ssh_signature(armored(huge)).ok());
    std::string version = bytes;
    version[9] = 2;
    CHECK_FALSE(parse_ssh_signature(armored(version)).ok());
}

TEST_CASE("only lines that name the approver literally count") {
    const auto lines = [](const std::string& file, const std::string& approver = "alice") {
        return signer_lines(file, approver, "AAAAkey");
    };
    CHECK(lines("alice ssh-ed25519 AAAAkey").with_key.size() == 1);
    CHECK(lines("  alice\tssh-ed25519\tAAAAkey a comment").with_key.size() == 1);
    CHECK(lines("bob,alice ssh-ed25519 AAAAkey").with_key.at(0) == "alice ssh-ed25519 AAAAkey");
    CHECK(
        lines("alice namespaces=\"a b\",valid-before=\"20270101\" ssh-ed25519 AAAAkey")
            .with_key.at(0) ==
        "alice namespaces=\"a b\",valid-before=\"20270101\" ssh-ed25519 AAAAkey"
    );
    CHECK(lines("alice ssh-ed25519 AAAAkey\r\nalice x AAAAkey\n").with_key.size() == 2);

    CHECK_FALSE(lines("").anybody);
    CHECK_FALSE(lines("# alice ssh-ed25519 AAAAkey\n\n").anybody);
    CHECK_FALSE(lines("alice").anybody);
    CHECK_FALSE(lines("* ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("ali?e ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("*,!alice ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("alice,!alice ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("!bob,alice ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("alicea ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("Alice ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("\"alice\" ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("alice cert-authority ssh-ed25519 AAAAkey").known);
    CHECK_FALSE(lines("alice Cert-Authority,namespaces=\"x\" ssh-ed25519 AAAAkey").known);
    CHECK(lines("alice ssh-ed25519 AAAAother").known);
    CHECK(lines("alice ssh-ed25519 AAAAother").with_key.empty());
    // A quoted part is one field, whatever stands in it.
    CHECK(lines("alice namespaces=\"x AAAAkey\" ssh-ed25519 AAAAother").with_key.empty());
}

} // namespace interlock::approval
