#include "server/authorization/token.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "server/authorization/base64url.hpp"
#include "server/authorization/url.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

namespace limits = base::limits;
using base::Errc;
using base::Error;
using base::Json;

constexpr double seconds_max = 253'402'300'799.0; // the end of the year 9999

Error refused(std::string why) {
    return {Errc::invalid_signature, std::move(why), ""};
}

/// One part of a compact token as a JSON object.
base::Result<Json> object_in(std::string_view part, const char* name) {
    const auto bytes = from_base64url(part);
    if (!bytes) {
        return refused(std::string("the ") + name + " is not base64url");
    }
    auto json = base::parse_json(*bytes, limits::token_bytes_max);
    if (!json || !json->is_object()) {
        return refused(std::string("the ") + name + " is not an object of strict JSON");
    }
    return json;
}

bool is_access_token(const Json& header) {
    const Json* type = base::member(header, "typ");
    if (type == nullptr) {
        return true;
    }
    const std::string name =
        type->is_string() ? base::lower_ascii(type->get_ref<const std::string&>()) : "";
    return name == "jwt" || name == "at+jwt" || name == "application/at+jwt";
}

/// jku, jwk, x5u and x5c are not looked at: keys come from the configuration alone.
base::Status check_header(const Json& header) {
    if (base::member(header, "crit") != nullptr || base::member(header, "b64") != nullptr) {
        return refused("the header demands an extension");
    }
    if (!is_access_token(header)) {
        return refused("the header's typ is not that of an access token");
    }
    if (const Json* kid = base::member(header, "kid"); kid != nullptr && !kid->is_string()) {
        return refused("the header's kid is not a text");
    }
    return base::done;
}

/// Seconds since 1970 as microseconds; nullopt when absent.
base::Result<std::optional<base::Time>> time_claim(const Json& claims, const char* name) {
    const Json* value = base::member(claims, name);
    if (value == nullptr) {
        return std::optional<base::Time>{};
    }
    const double seconds = value->is_number() ? value->get<double>() : -1.0;
    if (!(seconds >= 0.0 && seconds <= seconds_max)) {
        return refused(std::string("its ") + name + " is not a time");
    }
    return std::optional{base::Time{std::chrono::microseconds{std::llround(seconds * 1e6)}}};
}

bool names_resource(const Json& audience, const std::string& resource) {
    return audience.is_string() &&
           normal_resource(audience.get_ref<const std::string&>()) == resource;
}

base::Status check_audience(const Json& claims, const std::string& resource) {
    const Json* audience = base::member(claims, "aud");
    const bool is_list = audience != nullptr && audience->is_array();
    if (is_list && audience->size() > limits::token_audiences_max) {
        return refused("it has too many audiences");
    }
    const bool is_ours =
        audience != nullptr &&
        (is_list ? std::any_of(
                       audience->begin(),
                       audience->end(),
                       [&](const Json& one) { return names_resource(one, resource); }
                   )
                 : names_resource(*audience, resource));
    return is_ours ? base::Status{base::done} : refused("its audience is another server");
}

base::Result<std::string> check_subject(const Json& claims) {
    const std::string subject = base::string_member(claims, "sub").value_or("");
    if (subject.empty() || subject.size() > limits::token_subject_bytes_max) {
        return refused("its sub is missing or too long");
    }
    if (base::sanitize(subject) != subject) {
        return refused("its sub has characters that deceive readers");
    }
    if (subject.starts_with("os:")) {
        return refused("its sub is spelt like a user of the operating system");
    }
    return subject;
}

} // namespace

base::Result<Token> read_token(std::string compact) {
    if (compact.size() > limits::token_bytes_max) {
        return refused("it is larger than tokens may be");
    }
    if (std::count(compact.begin(), compact.end(), '.') != 2) {
        return refused("it is not of three parts");
    }
    const std::string_view text = compact;
    const auto first = text.find('.');
    const auto second = text.find('.', first + 1);
    INTERLOCK_TRY(const Json header, object_in(text.substr(0, first), "header"));
    INTERLOCK_CHECK(check_header(header));
    INTERLOCK_TRY(Json claims, object_in(text.substr(first + 1, second - first - 1), "payload"));
    const auto signature = from_base64url(text.substr(second + 1));
    if (!signature || signature->empty()) {
        return refused("the signature is missing or not base64url");
    }
    Token token;
    token.algorithm = base::string_member(header, "alg").value_or("");
    token.kid = base::string_member(header, "kid");
    token.issuer = base::string_member(claims, "iss").value_or("");
    token.signature_bytes = signature->size();
    token.claims = std::make_shared<const Json>(std::move(claims));
    token.compact = std::move(compact);
    return token;
}

base::Status check_signature(
    const Token& token, const std::vector<std::string>& algorithms, const KeySet& keys
) {
    if (std::find(algorithms.begin(), algorithms.end(), token.algorithm) == algorithms.end()) {
        return refused("its algorithm is none of the issuer's pinned ones");
    }
    const VerificationKey* key = keys.find(token.kid, token.algorithm);
    if (key == nullptr) {
        return Error{Errc::not_found, "no key of its issuer fits its kid and algorithm", ""};
    }
    if (!key->verifies(token.compact, token.signature_bytes)) {
        return refused("its signature does not verify");
    }
    return base::done;
}

base::Result<Verified> check_claims(
    const Json& claims, const std::string& resource, base::Time now, std::chrono::seconds clock_skew
) {
    INTERLOCK_CHECK(check_audience(claims, resource));
    INTERLOCK_TRY(std::string subject, check_subject(claims));
    INTERLOCK_TRY(const auto expires, time_claim(claims, "exp"));
    INTERLOCK_TRY(const auto not_before, time_claim(claims, "nbf"));
    INTERLOCK_TRY(const auto issued, time_claim(claims, "iat"));
    if (!expires) {
        return refused("it has no exp");
    }
    if (base::member(claims, "cnf") != nullptr) {
        return refused("it is bound to a key of its client (cnf), which a bearer does not prove");
    }
    for (const auto& from : {not_before, issued}) {
        if (from && *from > now + clock_skew) {
            return refused("its time has not come yet");
        }
    }
    if (now >= *expires + clock_skew) {
        return Error{Errc::expired, "it expired", ""};
    }
    return Verified{std::move(subject), *expires + clock_skew};
}

} // namespace interlock::server
