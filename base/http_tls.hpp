// TLS for the HTTP server: certificates loaded from files, and one session a connection. The
// session works on the socket itself and keeps no buffer while idle, so that it waits for
// readiness as a plain socket does. TLS 1.2 with forward secrecy and authenticated ciphers, and
// 1.3; no renegotiation, compression, resumption or early data.
#pragma once

#include "base/http_server.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>

struct ssl_st;
struct ssl_ctx_st;

namespace interlock::base {

/// What one attempt to read or write came to.
struct HttpIo {
    enum class Is { moved, blocked, ended, failed };
    Is is = Is::failed;
    std::size_t count = 0;
};

/// One connection's TLS. Used on the loop's thread alone.
class TlsSession {
public:
    explicit TlsSession(ssl_st* session) : session_(session) {}
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    HttpIo handshake();
    /// At most one record; give it room for a whole one, because what is left over in the session
    /// makes no socket readable.
    HttpIo read_some(char* to, std::size_t size);
    HttpIo write_some(std::string_view bytes);
    /// Says close_notify, if the socket takes it now.
    void end_output();
    bool reading_waits_to_write() const { return reading_waits_to_write_; }
    bool writing_waits_to_read() const { return writing_waits_to_read_; }

private:
    HttpIo judge(int outcome, std::size_t count, bool& waits_for_other, int other);

    ssl_st* session_;
    bool reading_waits_to_write_ = false;
    bool writing_waits_to_read_ = false;
    bool broken_ = false;
};

/// The certificate that new connections get. Thread-safe.
class TlsCertificate {
public:
    static Result<std::unique_ptr<TlsCertificate>> load(HttpTls files);
    /// Reads the files again; on an error the old certificate stays.
    Status reload();
    /// Null when memory is short.
    std::unique_ptr<TlsSession> session(int descriptor) const;

private:
    explicit TlsCertificate(HttpTls files) : files_(std::move(files)) {}

    HttpTls files_;
    mutable std::mutex mutex_; // guards current_
    std::shared_ptr<ssl_ctx_st> current_;
};

} // namespace interlock::base
