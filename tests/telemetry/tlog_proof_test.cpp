#include "telemetry/merkle.hpp"
#include "telemetry/tlog_proof.hpp"

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

const std::string name = "interlock-test";

base::SigningKey some_key(char seed = 'k') {
    return base::signing_key_from_seed(std::string(32, seed));
}
VerifierKey verifier(char seed = 'k') {
    return {name, some_key(seed).public_key};
}

std::vector<base::Digest> some_leaves(std::uint64_t count) {
    std::vector<base::Digest> leaves;
    for (std::uint64_t i = 0; i < count; ++i)
        leaves.push_back(leaf_hash("entry-" + std::to_string(i)));
    return leaves;
}

Checkpoint checkpoint_of(const std::vector<base::Digest>& leaves) {
    return {"interlock/log_abc", leaves.size(), merkle_root(leaves)};
}

TlogProof proof_of(const std::vector<base::Digest>& leaves, std::uint64_t index) {
    return {
        index,
        inclusion_proof(leaves, index),
        sign_checkpoint(checkpoint_of(leaves), name, some_key()),
        {}};
}

base::Errc code_of(const base::Result<TlogProof>& proof) {
    return proof ? base::Errc::internal : proof.error().code;
}

// The text that the specification shows; its checkpoint's signatures are shortened there.
const std::string specified = "c2sp.org/tlog-proof@v1\n"
                              "extra YWdlLXYxLjIuMQ==\n"
                              "index 73894\n"
                              "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
                              "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
                              "EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\n"
                              "RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n"
                              "AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n"
                              "\n"
                              "example.com/fancylog\n"
                              "109482\n"
                              "sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n"
                              "\n"
                              "\xe2\x80\x94 example.com/fancylog hI2DJw==\n";

TEST_CASE("a proof in the specified form is read and written byte for byte", "[telemetry]") {
    const auto proof = parse_tlog_proof(specified);
    REQUIRE(proof);
    CHECK(proof->index == 73'894);
    CHECK(proof->extra == "age-v1.2.1");
    REQUIRE(proof->hashes.size() == 5);
    CHECK(base::base64(proof->hashes[4].view()) == "AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=");
    CHECK(proof->checkpoint.starts_with("example.com/fancylog\n109482\n"));
    CHECK(render_tlog_proof(*proof) == specified);
}

// The tree of three leaves entry-0, entry-1, entry-2, whose root the reference gives; the path of
// leaf 2 is the root of the first two, that of leaf 0 its sibling and leaf 2.
TEST_CASE("a proof made by hand leads to the reference root", "[telemetry]") {
    const auto note = sign_checkpoint(
        {"interlock/log_abc",
         3,
         base::digest_from_hex("a64bf26e09128f6fe2fe6f8b2d8c801e166b57c047a7cd9b2b809e7a96a2f1cb")
             .value()},
        name,
        some_key()
    );
    const auto root_of_two =
        base::from_hex("2f27a5082c1d42afa488ac350a9fc4390c084f54f71ecdff859e98db8429b479");
    const std::string text =
        "c2sp.org/tlog-proof@v1\nindex 2\n" + base::base64(root_of_two.value()) + "\n\n" + note;
    const auto proof = parse_tlog_proof(text);
    REQUIRE(proof);
    const auto checkpoint = verify_tlog_proof(*proof, leaf_hash("entry-2"), verifier());
    REQUIRE(checkpoint);
    CHECK(checkpoint->size == 3);
    CHECK_FALSE(verify_tlog_proof(*proof, leaf_hash("entry-1"), verifier()));
}

TEST_CASE("every leaf of trees of many sizes is proven, and nothing else is", "[telemetry]") {
    for (const std::uint64_t size : {1U, 2U, 3U, 7U, 8U, 9U, 100U}) {
        const auto leaves = some_leaves(size);
        for (std::uint64_t index = 0; index < size; ++index) {
            CAPTURE(size, index);
            const auto text = render_tlog_proof(proof_of(leaves, index));
            auto proof = parse_tlog_proof(text);
            REQUIRE(proof);
            REQUIRE(verify_tlog_proof(*proof, leaves[index], verifier()));
            const auto other = leaf_hash("another entry");
            REQUIRE(
                verify_tlog_proof(*proof, other, verifier()).error().code == base::Errc::changed
            );
            proof->index += 1;
            REQUIRE_FALSE(verify_tlog_proof(*proof, leaves[index], verifier()));
        }
    }
}

TEST_CASE(
    "a proof under another key, or with an edited checkpoint, proves nothing", "[telemetry]"
) {
    const auto leaves = some_leaves(9);
    auto proof = proof_of(leaves, 4);
    CHECK(
        verify_tlog_proof(proof, leaves[4], verifier('x')).error().code ==
        base::Errc::invalid_signature
    );
    proof.checkpoint.replace(proof.checkpoint.find("\n9\n"), 3, "\n8\n");
    CHECK(
        verify_tlog_proof(proof, leaves[4], verifier()).error().code ==
        base::Errc::invalid_signature
    );
}

TEST_CASE("a text of any other form is no proof", "[telemetry]") {
    const auto edited = [&](const std::string& from, const std::string& to) {
        auto text = specified;
        text.replace(text.find(from), from.size(), to);
        return code_of(parse_tlog_proof(text));
    };
    using base::Errc;
    CHECK(edited("proof@v1", "proof@v2") == Errc::invalid_input);
    CHECK(edited("index 73894", "index 073894") == Errc::invalid_input);
    CHECK(edited("index 73894", "index -1") == Errc::invalid_input);
    CHECK(edited("index 73894", "index 99999999999999999999") == Errc::invalid_input);
    CHECK(edited("index 73894\n", "") == Errc::invalid_input);
    CHECK(edited("extra YWdlLXYxLjIuMQ==", "extra !") == Errc::invalid_input);
    CHECK(edited("extra YWdlLXYxLjIuMQ==", "extra ") == Errc::invalid_input);
    CHECK(edited("gSKy", "gSK") == Errc::invalid_input);
    CHECK(edited("PlQ=\n", "PlQ=\r\n") == Errc::invalid_input);
    CHECK(edited("PlQ=\n", "PlQ= \n") == Errc::invalid_input);
    for (std::size_t size = 0; size < specified.find("\n\n") + 2; ++size) {
        CAPTURE(size);
        REQUIRE_FALSE(parse_tlog_proof(specified.substr(0, size)));
    }
    auto endless = std::string("c2sp.org/tlog-proof@v1\nindex 0\n");
    for (int i = 0; i < 70; ++i)
        endless += base::base64(leaf_hash("x").view()) + "\n";
    CHECK_FALSE(parse_tlog_proof(endless + "\nnote\n"));
}

TEST_CASE("a later checkpoint is shown to continue an earlier one", "[telemetry]") {
    const auto all = some_leaves(100);
    for (const std::uint64_t old_size : {0U, 1U, 7U, 64U, 99U, 100U}) {
        CAPTURE(old_size);
        const std::vector<base::Digest> before(
            all.begin(), all.begin() + static_cast<std::ptrdiff_t>(old_size)
        );
        const auto old = checkpoint_of(before);
        const ConsistencyProof proof{
            old_size,
            consistency_proof(all, old_size),
            sign_checkpoint(checkpoint_of(all), name, some_key())};
        const auto text = render_consistency_proof(proof);
        const auto read = parse_consistency_proof(text);
        REQUIRE(read);
        CHECK(render_consistency_proof(*read) == text);
        CHECK(verify_consistency_proof(*read, old, verifier()));
        CHECK_FALSE(verify_consistency_proof(*read, old, verifier('x')));
        auto another_log = old;
        another_log.origin = "interlock/log_xyz";
        CHECK_FALSE(verify_consistency_proof(*read, another_log, verifier()));
        auto another_past = old;
        another_past.root = leaf_hash("another past");
        CHECK_FALSE(verify_consistency_proof(*read, another_past, verifier()));
    }
    CHECK_FALSE(parse_consistency_proof("old x\n\nnote\n"));
    CHECK_FALSE(parse_consistency_proof("new 1\n\nnote\n"));
    CHECK_FALSE(parse_consistency_proof(""));
}

} // namespace
} // namespace interlock::telemetry
