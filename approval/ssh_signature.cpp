#include "approval/ssh_signature.hpp"

#include "base/digest.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <optional>

namespace interlock::approval {

namespace {

constexpr std::string_view armor_begin = "-----BEGIN SSH SIGNATURE-----";
constexpr std::string_view armor_end = "-----END SSH SIGNATURE-----";
constexpr std::string_view magic = "SSHSIG";
constexpr unsigned char user_present = 0x01;

base::Error not_a_signature(std::string problem) {
    return base::Error{
        base::Errc::invalid_signature,
        "The signature is not an SSH signature: " + std::move(problem) + ".",
        "Sign the decision with `interlock plans approve`, or with `ssh-keygen -Y sign`."};
}

/// Reads SSH's length-prefixed strings; after the first read past the end everything is empty.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}
    std::string_view take(std::size_t count) {
        if (count > rest_.size()) {
            failed_ = true;
            rest_ = {};
            return {};
        }
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    std::size_t number() {
        std::size_t value = 0;
        for (const char byte : take(4))
            value = value << 8 | static_cast<unsigned char>(byte);
        return value;
    }
    std::string_view text() { return take(number()); }
    bool at_end() const { return !failed_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool failed_ = false;
};

std::optional<std::string> unarmor(std::string_view armored) {
    std::string_view body = base::trim(armored);
    if (armored.size() > base::limits::signature_bytes_max || !body.starts_with(armor_begin) ||
        !body.ends_with(armor_end) || body.size() < armor_begin.size() + armor_end.size())
        return std::nullopt;
    body.remove_prefix(armor_begin.size());
    body.remove_suffix(armor_end.size());
    std::string base64;
    std::copy_if(body.begin(), body.end(), std::back_inserter(base64), [](char c) {
        return c != '\n' && c != '\r';
    });
    auto bytes = base::from_base64(base64);
    if (!bytes.ok())
        return std::nullopt;
    return std::move(bytes).value();
}

std::string fingerprint_of(std::string_view key) {
    std::string text = base::base64(base::sha256(key).view());
    while (text.ends_with('='))
        text.pop_back();
    return "SHA256:" + text;
}

/// White-space separated fields; a quoted part may hold white space, as options do.
std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    bool quoted = false;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= line.size(); ++i) {
        if (i < line.size() && line[i] == '"' && (i == 0 || line[i - 1] != '\\'))
            quoted = !quoted;
        const bool blank = i == line.size() || (!quoted && (line[i] == ' ' || line[i] == '\t'));
        if (!blank)
            continue;
        if (i > start)
            fields.push_back(line.substr(start, i - start));
        start = i + 1;
    }
    return fields;
}

bool names(std::string_view principals, std::string_view approver) {
    bool found = false;
    for (std::size_t start = 0; start <= principals.size();) {
        const std::size_t comma = std::min(principals.find(',', start), principals.size());
        const std::string_view principal = principals.substr(start, comma - start);
        if (principal.starts_with('!'))
            return false;
        found = found || principal == approver;
        start = comma + 1;
    }
    return found;
}

bool is_authority(std::string_view field) {
    return base::lower_ascii(field).find("cert-authority") != std::string::npos;
}

} // namespace

base::Result<SshSignature> parse_ssh_signature(std::string_view armored) {
    const auto bytes = unarmor(armored);
    if (!bytes)
        return not_a_signature("it is not armored as one");
    Reader outer(*bytes);
    if (outer.take(magic.size()) != magic || outer.number() != 1)
        return not_a_signature("its magic or version is wrong");
    const std::string_view key = outer.text();
    SshSignature signature;
    signature.signed_for = std::string(outer.text());
    outer.text(); // reserved
    outer.text(); // hash algorithm: covered by the signature, judged by ssh-keygen
    Reader inner(outer.text());
    if (!outer.at_end())
        return not_a_signature("it is cut short or has bytes too many");
    signature.key_type = std::string(Reader(key).text());
    if (signature.key_type.find("-cert-") != std::string::npos)
        return base::Error{
            base::Errc::invalid_signature,
            "The signature was made with an SSH certificate, which never counts here.",
            "Sign with the key itself, listed in allowed_signers."};
    signature.key_base64 = base::base64(key);
    signature.fingerprint = fingerprint_of(key);
    signature.security_key = signature.key_type.starts_with("sk-");
    if (signature.security_key) {
        inner.text(); // signature type
        inner.text(); // signature
        const std::string_view flags = inner.take(1);
        signature.touched = !flags.empty() && (static_cast<unsigned char>(flags[0]) & user_present);
    }
    return signature;
}

SignerLines signer_lines(
    std::string_view allowed_signers, std::string_view approver, std::string_view key_base64
) {
    SignerLines found;
    for (std::size_t start = 0; start < allowed_signers.size();) {
        const std::size_t end = std::min(allowed_signers.find('\n', start), allowed_signers.size());
        const std::string_view line = base::trim(allowed_signers.substr(start, end - start));
        start = end + 1;
        const auto fields = fields_of(line);
        if (fields.size() < 3 || line.starts_with('#') ||
            std::any_of(fields.begin() + 1, fields.end() - 1, is_authority))
            continue;
        found.anybody = true;
        if (!names(fields[0], approver))
            continue;
        found.known = true;
        if (std::find(fields.begin() + 1, fields.end(), key_base64) != fields.end())
            found.with_key.push_back(
                std::string(approver) + std::string(line.substr(fields[0].size()))
            );
    }
    return found;
}

} // namespace interlock::approval
