#include "telemetry/merkle.hpp"

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

using Leaves = std::vector<base::Digest>;

Leaves some_leaves(std::uint64_t count) {
    Leaves leaves;
    for (std::uint64_t i = 0; i < count; ++i)
        leaves.push_back(leaf_hash("entry-" + std::to_string(i)));
    return leaves;
}

Leaves prefix(const Leaves& leaves, std::uint64_t count) {
    return {leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(count)};
}

base::Digest flipped(base::Digest digest) {
    digest.bytes[7] ^= 0x10;
    return digest;
}

struct Vector {
    std::uint64_t size;
    const char* root;
};

// Computed by an independent implementation over the leaves entry-0, entry-1, ...
constexpr Vector vectors[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {1, "40766b2033429026f53d54502679a839706b4741f8dcaf3a8bba5f41b5ffe075"},
    {2, "2f27a5082c1d42afa488ac350a9fc4390c084f54f71ecdff859e98db8429b479"},
    {3, "a64bf26e09128f6fe2fe6f8b2d8c801e166b57c047a7cd9b2b809e7a96a2f1cb"},
    {7, "9139601cc1ca8ab2a7a0c2c134c04845f2b1ba549a83d6c845cfcda439cc585d"},
    {8, "dfcc13b9b0ca932c68de3d59eaaa8fe266a9c8091c0300e8405ebfeb0d0e5832"},
    {9, "12f4efa8ca23286c700af22893801cff9e72c58ed63a7316c30a87cf17bd5126"},
    {100, "50e444b2aeb035c62271e446e201c586272d50988b64e6f862cafec8ef91c066"},
    {300, "aebb027d5c3dd08871ee52577a61fc83122d0d14352791943639bd4c12d36943"},
};

TEST_CASE("the tree gives the reference roots", "[telemetry]") {
    for (const auto& [size, root] : vectors) {
        CAPTURE(size);
        CHECK(base::hex(merkle_root(some_leaves(size))) == root);
    }
}

// The leaves and roots that the certificate-transparency projects test with.
TEST_CASE("the tree gives the roots of the certificate-transparency test data", "[telemetry]") {
    const std::vector<std::string> inputs{
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f"};
    const std::vector<std::string> roots{
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    Leaves leaves;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        leaves.push_back(leaf_hash(base::from_hex(inputs[i]).value()));
        CHECK(base::hex(merkle_root(leaves)) == roots[i]);
    }
}

TEST_CASE("the frontier has the root of the definition at every size", "[telemetry]") {
    const auto leaves = some_leaves(300);
    Frontier frontier;
    for (std::uint64_t size = 0; size <= leaves.size(); ++size) {
        CAPTURE(size);
        REQUIRE(frontier.size() == size);
        REQUIRE(frontier.root() == merkle_root(prefix(leaves, size)));
        const auto stored = Frontier::parse(frontier.to_text());
        REQUIRE(stored);
        REQUIRE(stored->to_text() == frontier.to_text());
        REQUIRE(stored->root() == frontier.root());
        if (size < leaves.size())
            frontier.append(leaves[size]);
    }
}

TEST_CASE("a stored frontier goes on where it was", "[telemetry]") {
    const auto leaves = some_leaves(77);
    Frontier frontier;
    for (const auto& leaf : leaves) {
        auto stored = Frontier::parse(frontier.to_text());
        REQUIRE(stored);
        frontier = std::move(stored).value();
        frontier.append(leaf);
    }
    CHECK(frontier.root() == merkle_root(leaves));
}

TEST_CASE("a frontier that was not written by us is refused", "[telemetry]") {
    Frontier frontier;
    for (const auto& leaf : some_leaves(3))
        frontier.append(leaf);
    const auto good = frontier.to_text();
    REQUIRE(Frontier::parse(good));
    auto upper = good;
    upper[3] = 'A';
    auto tab = good;
    tab[1] = '\t';
    const std::string hash = good.substr(1, 65);
    for (const auto& bad :
         {std::string(),
          std::string(" "),
          std::string("x"),
          std::string("-1"),
          std::string("1"),
          std::string("00"),
          '0' + good,
          '+' + good,
          good + ' ',
          good + hash,
          good.substr(0, good.size() - 1),
          "4" + good.substr(1),
          "99999999999999999999999999" + hash,
          upper,
          tab}) {
        CAPTURE(bad);
        CHECK_FALSE(Frontier::parse(bad));
    }
}

TEST_CASE(
    "every inclusion proof verifies and no other position, size or leaf does", "[telemetry]"
) {
    for (std::uint64_t size = 1; size <= 40; ++size) {
        const auto leaves = some_leaves(size);
        const auto root = merkle_root(leaves);
        for (std::uint64_t index = 0; index < size; ++index) {
            CAPTURE(size, index);
            const auto proof = inclusion_proof(leaves, index);
            REQUIRE(verify_inclusion(leaves[index], index, size, proof, root));
            REQUIRE_FALSE(verify_inclusion(flipped(leaves[index]), index, size, proof, root));
            REQUIRE_FALSE(verify_inclusion(leaves[index], index, size, proof, flipped(root)));
            for (std::uint64_t other = 0; other < size; ++other) {
                if (other != index)
                    REQUIRE_FALSE(verify_inclusion(leaves[index], other, size, proof, root));
            }
            auto longer = proof;
            longer.push_back(root);
            REQUIRE_FALSE(verify_inclusion(leaves[index], index, size, longer, root));
            if (!proof.empty()) {
                auto shorter = proof;
                shorter.pop_back();
                REQUIRE_FALSE(verify_inclusion(leaves[index], index, size, shorter, root));
            }
            for (std::size_t at = 0; at < proof.size(); ++at) {
                auto edited = proof;
                edited[at] = flipped(edited[at]);
                REQUIRE_FALSE(verify_inclusion(leaves[index], index, size, edited, root));
            }
        }
        REQUIRE_FALSE(verify_inclusion(leaves[0], size, size, {}, root));
    }
    CHECK(inclusion_proof(some_leaves(3), 3).empty());
    CHECK_FALSE(verify_inclusion(leaf_hash(""), 0, 0, {}, merkle_root({})));
}

TEST_CASE("every consistency proof verifies and no edited one does", "[telemetry]") {
    const auto all = some_leaves(40);
    for (std::uint64_t new_size = 0; new_size <= all.size(); ++new_size) {
        const auto leaves = prefix(all, new_size);
        const auto new_root = merkle_root(leaves);
        for (std::uint64_t old_size = 0; old_size <= new_size; ++old_size) {
            CAPTURE(old_size, new_size);
            const auto old_root = merkle_root(prefix(all, old_size));
            const auto proof = consistency_proof(leaves, old_size);
            REQUIRE(verify_consistency(old_size, old_root, new_size, new_root, proof));
            const auto wrong = flipped(old_root);
            REQUIRE_FALSE(verify_consistency(old_size, wrong, new_size, new_root, proof));
            if (old_size > 0) {
                const auto other = flipped(new_root);
                REQUIRE_FALSE(verify_consistency(old_size, old_root, new_size, other, proof));
            }
            auto longer = proof;
            longer.push_back(new_root);
            REQUIRE_FALSE(verify_consistency(old_size, old_root, new_size, new_root, longer));
            for (std::size_t at = 0; at < proof.size(); ++at) {
                auto edited = proof;
                edited[at] = flipped(edited[at]);
                REQUIRE_FALSE(verify_consistency(old_size, old_root, new_size, new_root, edited));
                auto shorter = proof;
                shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(at));
                REQUIRE_FALSE(verify_consistency(old_size, old_root, new_size, new_root, shorter));
            }
        }
    }
    const auto root = merkle_root(all);
    CHECK_FALSE(verify_consistency(41, root, 40, root, {}));
}

} // namespace
} // namespace interlock::telemetry
