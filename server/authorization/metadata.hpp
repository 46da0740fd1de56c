// What clients are told about authorization: the metadata documents of RFC 9728, and challenges.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"
#include "server/authorization/options.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace interlock::server {

class Metadata {
public:
    /// limit_exceeded when the document would be larger than clients read.
    static base::Result<Metadata> of(const AuthorizationOptions& options);

    /// The document at this path, or 405; nullopt for other paths.
    std::optional<base::HttpResponse> answer(const base::HttpRequest& request) const;

    /// 401: no token came.
    base::HttpResponse token_required() const;
    /// 401: the token is not good; `expired` may be told, since the client knows it.
    base::HttpResponse invalid_token(bool expired) const;
    /// 400: credentials in a way that is not understood; `why` is one of our sentences.
    base::HttpResponse invalid_request(std::string_view why) const;
    /// 403: a good token that allows too little. `scopes` are all that the call needs.
    base::HttpResponse insufficient_scope(const std::string& scopes, std::string body) const;
    /// 403 without a challenge: no other token of this caller would change it.
    base::HttpResponse not_mapped() const;
    /// 503: the keys that would verify it are not there.
    base::HttpResponse keys_missing() const;

private:
    Metadata() = default;
    std::map<std::string, std::string> documents_; // path -> JSON text
    std::string url_;                              // absolute, of the resource's document
};

} // namespace interlock::server
