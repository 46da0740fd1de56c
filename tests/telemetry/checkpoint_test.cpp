#include "telemetry/checkpoint.hpp"
#include "telemetry/merkle.hpp"

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

const std::string name = "interlock-executor/db1";

base::SigningKey key_of(char seed) {
    return base::signing_key_from_seed(std::string(32, seed));
}

Checkpoint some_checkpoint() {
    return {"interlock/log_abc", 42, leaf_hash("root")};
}

TEST_CASE("a signed checkpoint says what was signed", "[telemetry]") {
    const auto key = key_of('k');
    const auto note = sign_checkpoint(some_checkpoint(), name, key);
    const auto read = verify_checkpoint(note, name, key.public_key);
    REQUIRE(read);
    CHECK(read->origin == "interlock/log_abc");
    CHECK(read->size == 42);
    CHECK(read->root == leaf_hash("root"));
}

TEST_CASE("a note has the C2SP form", "[telemetry]") {
    const auto key = key_of('k');
    const auto note = sign_checkpoint(some_checkpoint(), name, key);
    const auto text = "interlock/log_abc\n42\n" + base::base64(leaf_hash("root").view()) + "\n";
    const auto id =
        std::string(base::sha256(name + "\n" + '\x01' + key.public_key).view().substr(0, 4));
    CHECK(
        note ==
        text + "\n\xe2\x80\x94 " + name + " " + base::base64(id + base::sign(key, text)) + "\n"
    );
    CHECK(
        verifier_key(name, key.public_key) ==
        name + "+" + base::hex(id) + "+" + base::base64('\x01' + key.public_key)
    );
}

// What https://sum.golang.org/latest answered on 2024-09-23, and the key the go command ships.
TEST_CASE("a checkpoint that another implementation signed verifies", "[telemetry]") {
    const std::string verifier =
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    const std::string note = "go.sum database tree\n"
                             "30055305\n"
                             "mXfgRcJ0bG0j3CPdKwgGWtUzBUbX67saZGRmFuJGGsM=\n"
                             "\n"
                             "\xe2\x80\x94 sum.golang.org "
                             "Az3grpgEild5qw7+5dtV13Kf1C2Xurm8q4fhdxvcsDHnqNTaxL2AFjBY+"
                             "2TyGKevucFcAAlWFJJYle3EJlDCrQ+y3A8"
                             "=\n";
    const auto typed = base::from_base64(verifier.substr(24)).value();
    const auto key = typed.substr(1);
    CHECK(verifier_key("sum.golang.org", key) == verifier);
    const auto read = verify_checkpoint(note, "sum.golang.org", key);
    REQUIRE(read);
    CHECK(read->origin == "go.sum database tree");
    CHECK(read->size == 30'055'305);
}

TEST_CASE("another key or another name does not verify", "[telemetry]") {
    const auto key = key_of('k');
    const auto note = sign_checkpoint(some_checkpoint(), name, key);
    const auto other_key = verify_checkpoint(note, name, key_of('o').public_key);
    REQUIRE_FALSE(other_key);
    CHECK(other_key.error().code == base::Errc::invalid_signature);
    const auto other_name = verify_checkpoint(note, "interlock-desk/db1", key.public_key);
    REQUIRE_FALSE(other_name);
    CHECK(other_name.error().code == base::Errc::invalid_signature);
}

TEST_CASE("a note with any byte changed does not verify", "[telemetry]") {
    const auto key = key_of('k');
    const auto note = sign_checkpoint(some_checkpoint(), name, key);
    for (std::size_t at = 0; at < note.size(); ++at) {
        CAPTURE(at);
        auto edited = note;
        edited[at] = static_cast<char>(edited[at] ^ 1);
        CHECK_FALSE(verify_checkpoint(edited, name, key.public_key));
        CHECK_FALSE(verify_checkpoint(note.substr(0, at), name, key.public_key));
    }
}

TEST_CASE("signatures of witnesses beside ours are allowed", "[telemetry]") {
    const auto key = key_of('k');
    const auto note = sign_checkpoint(some_checkpoint(), name, key);
    const auto witness = sign_checkpoint(some_checkpoint(), "witness", key_of('w'));
    const auto witness_line = witness.substr(witness.find("\n\n") + 2);
    const auto blank = note.find("\n\n") + 2;
    const auto both = note.substr(0, blank) + witness_line + note.substr(blank);
    CHECK(verify_checkpoint(both, name, key.public_key));
    CHECK(verify_checkpoint(note + witness_line, name, key.public_key));
    CHECK_FALSE(verify_checkpoint(witness, name, key.public_key));
}

TEST_CASE(
    "text that says the same in another form is refused even when it is signed", "[telemetry]"
) {
    const auto key = key_of('k');
    const auto good = sign_checkpoint(some_checkpoint(), name, key);
    const auto line = good.substr(good.find("\n\n") + 2);
    const auto id = base::from_base64(line.substr(line.rfind(' ') + 1, 92)).value().substr(0, 4);
    const auto root = base::base64(leaf_hash("root").view());
    for (const auto& text :
         {"interlock/log_abc\n042\n" + root + "\n",
          "interlock/log_abc\n+42\n" + root + "\n",
          "interlock/log_abc\n42\n" + root + "\nextension\n",
          "interlock/log_abc\n42\n" + root.substr(4) + "\n",
          "interlock/log_abc\n42 \n" + root + "\n",
          "interlock/log_abc\n99999999999999999999\n" + root + "\n",
          std::string("interlock/log_abc\n42\n"),
          "\n42\n" + root + "\n"}) {
        CAPTURE(text);
        const auto note =
            text + "\n\xe2\x80\x94 " + name + " " + base::base64(id + base::sign(key, text)) + "\n";
        const auto read = verify_checkpoint(note, name, key.public_key);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == base::Errc::invalid_input);
    }
}

TEST_CASE("a checkpoint of an empty log can be signed", "[telemetry]") {
    const auto key = key_of('k');
    const Checkpoint empty{"interlock/log_abc", 0, merkle_root({})};
    const auto read = verify_checkpoint(sign_checkpoint(empty, name, key), name, key.public_key);
    REQUIRE(read);
    CHECK(read->size == 0);
}

TEST_CASE("a verifier key reads back, and nothing else does", "[telemetry]") {
    const auto key = key_of('k');
    const auto text = verifier_key(name, key.public_key);
    const auto read = parse_verifier_key(text);
    REQUIRE(read);
    CHECK(read->name == name);
    CHECK(read->public_key == key.public_key);
    auto other_id = text;
    other_id[name.size() + 1] = other_id[name.size() + 1] == '0' ? '1' : '0';
    for (const std::string& bad :
         {std::string(), name, name + "+", text.substr(1), text + "=", other_id, text + "\n"}) {
        INFO(bad);
        CHECK_FALSE(parse_verifier_key(bad));
    }
}

} // namespace
} // namespace interlock::telemetry
