#include "telemetry/merkle_proofs.hpp"

#include <numeric>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

std::vector<base::Digest> some_leaves(std::uint64_t count) {
    std::vector<base::Digest> leaves;
    for (std::uint64_t i = 0; i < count; ++i)
        leaves.push_back(leaf_hash("entry-" + std::to_string(i)));
    return leaves;
}

ProofBuilder built(
    const std::vector<base::Digest>& leaves,
    std::vector<std::uint64_t> wanted,
    std::vector<std::uint64_t> old_sizes
) {
    ProofBuilder builder(std::move(wanted), std::move(old_sizes));
    for (const auto& leaf : leaves)
        builder.append(leaf);
    builder.finish();
    return builder;
}

TEST_CASE("proofs built in one pass are those of the definition", "[telemetry]") {
    for (std::uint64_t size = 0; size <= 70; ++size) {
        const auto leaves = some_leaves(size);
        std::vector<std::uint64_t> all(size + 1);
        std::iota(all.begin(), all.end(), 0);
        const auto builder = built(leaves, all, all);
        CAPTURE(size);
        REQUIRE(builder.size() == size);
        REQUIRE(builder.root() == merkle_root(leaves));
        for (const auto at : all) {
            CAPTURE(at);
            REQUIRE(builder.inclusion(at) == inclusion_proof(leaves, at));
            REQUIRE(builder.consistency(at) == consistency_proof(leaves, at));
        }
    }
}

TEST_CASE("only what was wanted is kept", "[telemetry]") {
    const auto leaves = some_leaves(300);
    const auto builder = built(leaves, {17, 299, 17, 9'000}, {100, 9'000});
    CHECK(
        base::hex(builder.root()) ==
        "aebb027d5c3dd08871ee52577a61fc83122d0d14352791943639bd4c12d36943"
    );
    CHECK(builder.inclusion(17) == inclusion_proof(leaves, 17));
    CHECK(builder.inclusion(299) == inclusion_proof(leaves, 299));
    CHECK(builder.consistency(100) == consistency_proof(leaves, 100));
    CHECK(builder.inclusion(18).empty());
    CHECK(builder.inclusion(9'000).empty());
    CHECK(builder.consistency(101).empty());
    CHECK(builder.consistency(9'000).empty());
}

} // namespace
} // namespace interlock::telemetry
