#include "approval/desk/token.hpp"
#include "base/digest.hpp"
#include "tests/approval/fixture.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::desk {

using test::fails;
using test::must;

namespace {

base::HttpRequest with_authorization(const std::vector<std::string>& values) {
    base::HttpRequest request;
    request.method = "GET";
    for (const auto& value : values)
        request.headers.emplace_back("Authorization", value);
    return request;
}

} // namespace

TEST_CASE("a token is made once, private, and read back") {
    test::TemporaryDirectory directory;
    base::SystemRandom random;
    const std::string path = directory.file("token");
    const std::string token = must(load_or_create_token(path, random));
    CHECK(token.size() == 64);
    CHECK(must(load_or_create_token(path, random)) == token);
    using std::filesystem::perms;
    CHECK(std::filesystem::status(path).permissions() == (perms::owner_read | perms::owner_write));
    test::TemporaryDirectory other;
    CHECK(must(load_or_create_token(other.file("token"), random)) != token);
}

TEST_CASE("a token file that others may read, or that holds no secret, stops the desk") {
    test::TemporaryDirectory directory;
    base::SystemRandom random;
    const std::string path = directory.file("token");
    must(base::write_file_atomically(path, std::string(64, 'a'), 0644));
    CHECK(fails(load_or_create_token(path, random), base::Errc::permission_denied, "chmod 600"));
    must(base::write_file_atomically(path, std::string(64, 'a'), 0640));
    CHECK(fails(load_or_create_token(path, random), base::Errc::permission_denied));
    must(base::write_file_atomically(path, "", 0600));
    CHECK(fails(load_or_create_token(path, random), base::Errc::invalid_input, "guessed"));
    must(base::write_file_atomically(path, "short\n", 0600));
    CHECK(fails(load_or_create_token(path, random), base::Errc::invalid_input));
    CHECK_FALSE(load_or_create_token(directory.path() + "/no/such/token", random).ok());
}

TEST_CASE("only the exact token lets anybody in") {
    const std::string token(64, 'k');
    const auto basic = [](const std::string& pair) { return "Basic " + base::base64(pair); };
    const std::vector<std::string> good{
        "Bearer " + token,
        "bearer " + token,
        "BEARER  " + token,
        basic(":" + token),
        basic("anybody:" + token),
        "basic " + base::base64("x:" + token)};
    for (const auto& value : good) {
        INFO(value);
        CHECK(carries_token(with_authorization({value}), token));
    }
    const std::vector<std::string> bad{
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer " + token + "k",
        "Bearer " + token.substr(1),
        token,
        "Token " + token,
        "Digest " + token,
        "Bearer" + token,
        basic(token),
        basic(token + ":"),
        basic("a:b:" + token),
        "Basic " + token,
        "Basic !!!!",
        "Bearer " + std::string(64, 'K')};
    for (const auto& value : bad) {
        INFO(value);
        CHECK_FALSE(carries_token(with_authorization({value}), token));
    }
    CHECK_FALSE(carries_token(with_authorization({}), token));
    CHECK_FALSE(carries_token(with_authorization({"Bearer " + token, "Bearer " + token}), token));
    // No token configured lets nobody in, also not with an empty one.
    CHECK_FALSE(carries_token(with_authorization({"Bearer "}), ""));
    CHECK_FALSE(carries_token(with_authorization({basic(":")}), ""));
}

} // namespace interlock::desk
