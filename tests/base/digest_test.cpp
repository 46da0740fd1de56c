#include "base/digest.hpp"
#include "tests/support/fakes.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

std::string bytes_of(std::string_view hexadecimal) {
    return from_hex(hexadecimal).value();
}

} // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples", "[base]") {
    CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(
        hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
}

TEST_CASE("HMAC-SHA-256 gives the values of RFC 4231", "[base]") {
    CHECK(
        hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    CHECK(
        hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    CHECK(
        hex(hmac_sha256(
            std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"
        )) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    );
}

TEST_CASE("a chat signature is checked by comparing whole texts", "[base]") {
    const std::string body = "v0:1531420618:token=xyz&command=/approve";
    const std::string signature =
        "v0=" + hex(hmac_sha256("8f742231b10e8888abcd99yyyzzz85a5", body));
    CHECK(equal(signature, signature));
    CHECK(equal("", ""));
    CHECK_FALSE(equal(signature, signature.substr(0, signature.size() - 1)));
    CHECK_FALSE(equal(signature, ""));
    for (std::size_t i = 0; i < signature.size(); ++i) {
        std::string forged = signature;
        forged[i] = static_cast<char>(forged[i] ^ 1);
        REQUIRE_FALSE(equal(signature, forged));
    }
}

TEST_CASE("hexadecimal is lower case, even and nothing else", "[base]") {
    CHECK(hex(std::string_view("\x00\x7f\xff", 3)) == "007fff");
    CHECK(*from_hex("007fff") == std::string("\x00\x7f\xff", 3));
    CHECK(from_hex("")->empty());
    CHECK_FALSE(from_hex("0").ok());
    CHECK_FALSE(from_hex("0G").ok());
    CHECK_FALSE(from_hex("AB").ok());
    CHECK_FALSE(from_hex("0x").ok());
    CHECK_FALSE(from_hex(" a").ok());
    const Digest digest = sha256("abc");
    CHECK(*digest_from_hex(hex(digest)) == digest);
    CHECK_FALSE(digest_from_hex("ba78").ok());
    CHECK_FALSE(digest_from_hex(hex(digest) + "00").ok());
}

TEST_CASE("base64 is padded and canonical", "[base]") {
    const std::pair<std::string, std::string> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff", "+/8="},
    };
    for (const auto& [plain, encoded] : vectors) {
        CHECK(base64(plain) == encoded);
        REQUIRE(from_base64(encoded).ok());
        CHECK(*from_base64(encoded) == plain);
    }
    for (const char* bad :
         {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9v\n", "Zm 9v", "-_8=", "Zg==Zg=="}) {
        CAPTURE(bad);
        CHECK_FALSE(from_base64(bad).ok());
    }
    for (int byte = 0x80; byte <= 0xFF; ++byte) {
        CHECK_FALSE(from_base64(std::string("w6Q") + static_cast<char>(byte)).ok());
    }
}

TEST_CASE("the pre-authentication encoding is the one of the DSSE specification", "[base]") {
    CHECK(
        pre_authentication_encoding("http://example.com/HelloWorld", "hello world") ==
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    CHECK(pre_authentication_encoding("", "") == "DSSEv1 0  0 ");
    CHECK(pre_authentication_encoding("a", "b c") != pre_authentication_encoding("a b", "c"));
}

TEST_CASE("Ed25519 gives the first signatures of RFC 8032", "[base]") {
    const SigningKey key = signing_key_from_seed(
        bytes_of("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    );
    CHECK(
        hex(key.public_key) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    const std::string signature = sign(key, "");
    CHECK(
        hex(signature) ==
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590"
        "a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    );
    CHECK(verify_signature(key.public_key, "", signature));
    CHECK_FALSE(verify_signature(key.public_key, "x", signature));
    CHECK_FALSE(verify_signature(key.public_key, "", signature.substr(1)));
    CHECK_FALSE(verify_signature(key.public_key.substr(1), "", signature));
    CHECK_FALSE(verify_signature("", "", ""));
}

TEST_CASE("a signing key is made once, privately, and read back", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("key");
    const auto made = load_or_create_signing_key(path, std::string(32, 'a'));
    REQUIRE(made.ok());
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);

    const auto again = load_or_create_signing_key(path, std::string(32, 'b'));
    REQUIRE(again.ok());
    CHECK(again->public_key == made->public_key);
    CHECK(made->public_key == signing_key_from_seed(std::string(32, 'a')).public_key);
}

TEST_CASE("a signing key that others may read, or that is damaged, is not used", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("key");
    REQUIRE(load_or_create_signing_key(path, std::string(32, 'a')).ok());
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    CHECK_FALSE(load_or_create_signing_key(path, std::string(32, 'a')).ok());

    REQUIRE(write_file_atomically(path, "not a key\n").ok());
    const auto damaged = load_or_create_signing_key(path, std::string(32, 'a'));
    REQUIRE_FALSE(damaged.ok());
    CHECK(damaged.error().code == Errc::invalid_input);
    CHECK(damaged.error().what.find("not a key") == std::string::npos);
}

TEST_CASE("a signing key needs a whole seed and a directory", "[base]") {
    const test::TemporaryDirectory directory;
    CHECK_FALSE(load_or_create_signing_key(directory.file("key"), "short").ok());
    CHECK_FALSE(load_or_create_signing_key(directory.file("none/key"), std::string(32, 'a')).ok());
}

} // namespace interlock::base
