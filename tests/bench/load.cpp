// Load for the measured comparison: one thread, epoll, keep-alive HTTP/1.1, the same request again
// and again on every connection. It must be much cheaper than any server it measures, so it builds
// its request once and looks at answers only as far as telling right from wrong needs.
//
//   interlock-load run  --port P --seconds S --connections N REQUEST   requests/s and latencies
//                  --rate R: so many a second in all, whether answers come or not; a request that
//                  had to wait for its connection is late from when it was due
//   interlock-load hold --port P --connections N REQUEST               opens, asks once each, waits
//   interlock-load start-http  --port P REQUEST -- COMMAND...          exec to first right answer
//   interlock-load start-stdio --body FILE --expect TEXT -- COMMAND... the same over stdio
//
// REQUEST is --path /mcp --body FILE --expect TEXT [--refuse TEXT] [--header 'Name: value']...
// An answer is right when it is 200, has TEXT of --expect and not that of --refuse. What was found
// is printed as one line of JSON.
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <iterator>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr double start_patience_seconds = 30;
constexpr int sources = 64; // loopback addresses that held connections come from

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what);
}

struct Options {
    std::string mode;
    int port = 0;
    int connections = 1;
    double seconds = 1;
    double rate = 0; // 0: as fast as answers come
    std::string path = "/mcp";
    std::string body;
    std::string expect;
    std::string refuse;
    std::vector<std::string> headers;
    std::vector<char*> command; // null-terminated
};

std::string read_whole(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        fail("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>{file}, {}};
}

Options read_options(int argc, char** argv) {
    if (argc < 2) {
        fail("no mode; see the head of load.cpp");
    }
    Options options;
    options.mode = argv[1];
    for (int i = 2; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--") {
            options.command.assign(argv + i + 1, argv + argc);
            options.command.push_back(nullptr);
            break;
        }
        if (i + 1 >= argc) {
            fail("a value is missing for " + std::string{name});
        }
        const std::string value = argv[++i];
        if (name == "--port") {
            options.port = std::stoi(value);
        } else if (name == "--connections") {
            options.connections = std::stoi(value);
        } else if (name == "--seconds") {
            options.seconds = std::stod(value);
        } else if (name == "--rate") {
            options.rate = std::stod(value);
        } else if (name == "--path") {
            options.path = value;
        } else if (name == "--body") {
            options.body = read_whole(value);
        } else if (name == "--expect") {
            options.expect = value;
        } else if (name == "--refuse") {
            options.refuse = value;
        } else if (name == "--header") {
            options.headers.push_back(value);
        } else {
            fail("unknown option " + std::string{name});
        }
    }
    return options;
}

std::string request_bytes(const Options& options) {
    std::string bytes = "POST " + options.path +
                        " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
                        "\r\nContent-Type: application/json\r\n"
                        "Accept: application/json, text/event-stream\r\n";
    for (const std::string& header : options.headers) {
        bytes += header + "\r\n";
    }
    return bytes + "Content-Length: " + std::to_string(options.body.size()) + "\r\n\r\n" +
           options.body;
}

/// The value of a header, or nothing. Names are compared without case.
std::string_view header_value(std::string_view head, std::string_view name) {
    for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
         at = head.find("\r\n", at)) {
        at += 2;
        const std::string_view line = head.substr(at, head.find("\r\n", at) - at);
        if (line.size() > name.size() && line[name.size()] == ':' &&
            ::strncasecmp(line.data(), name.data(), name.size()) == 0) {
            std::string_view value = line.substr(name.size() + 1);
            value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
            return value;
        }
    }
    return {};
}

/// Size of the whole answer at the front of `bytes`; 0 while it is not all there.
std::size_t answer_size(std::string_view bytes) {
    const std::size_t head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
        return 0;
    }
    const std::string_view head = bytes.substr(0, head_end);
    const std::size_t body_at = head_end + 4;
    const std::string_view length = header_value(head, "content-length");
    if (!length.empty()) {
        std::size_t size = 0;
        std::from_chars(length.data(), length.data() + length.size(), size);
        return bytes.size() >= body_at + size ? body_at + size : 0;
    }
    if (header_value(head, "transfer-encoding") != "chunked") {
        fail("an answer has neither Content-Length nor chunks: " + std::string{head});
    }
    for (std::size_t at = body_at;;) {
        const std::size_t line_end = bytes.find("\r\n", at);
        if (line_end == std::string_view::npos) {
            return 0;
        }
        std::size_t size = 0;
        std::from_chars(bytes.data() + at, bytes.data() + line_end, size, 16);
        at = line_end + 2 + size + 2;
        if (at > bytes.size()) {
            return 0;
        }
        if (size == 0) {
            return at;
        }
    }
}

/// string_view::find stops at each quote of a JSON text: of a long answer that took this program
/// longer than the server took to give it.
bool contains(std::string_view text, std::string_view wanted) {
    return ::memmem(text.data(), text.size(), wanted.data(), wanted.size()) != nullptr;
}

bool is_right(std::string_view answer, const Options& options) {
    return answer.starts_with("HTTP/1.1 200") && contains(answer, options.expect) &&
           (options.refuse.empty() || !contains(answer, options.refuse));
}

/// A connected socket; -1 when nobody listens.
int open_socket(const Options& options, int number) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        fail(std::string{"socket: "} + std::strerror(errno));
    }
    if (options.mode == "hold") {
        sockaddr_in source{};
        source.sin_family = AF_INET;
        source.sin_addr.s_addr =
            htonl(INADDR_LOOPBACK + 1U + static_cast<unsigned>(number % sources));
        (void)::bind(socket, reinterpret_cast<sockaddr*>(&source), sizeof source);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(options.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(socket);
        return -1;
    }
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

void send_whole(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            fail(std::string{"send: "} + std::strerror(errno));
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

struct Connection {
    int socket = -1;
    std::string in;
    Clock::time_point asked;
};

struct Found {
    std::vector<std::uint32_t> microseconds;
    std::size_t wrong = 0;
    std::string first_wrong;
    std::size_t answer_bytes = 0;
};

/// Takes in what has come; true when a whole answer is there and was judged.
bool receive(Connection& connection, const Options& options, Found& found) {
    static char buffer[256 * 1024];
    const ssize_t count = ::recv(connection.socket, buffer, sizeof buffer, 0);
    if (count <= 0) {
        fail(count == 0 ? "the server closed a connection" : std::strerror(errno));
    }
    std::string_view whole{buffer, static_cast<std::size_t>(count)};
    if (!connection.in.empty()) {
        connection.in.append(whole);
        whole = connection.in;
    }
    const std::size_t size = answer_size(whole);
    if (size == 0) {
        if (connection.in.empty()) {
            connection.in = whole;
        }
        return false;
    }
    const auto took = Clock::now() - connection.asked;
    found.microseconds.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count()
    ));
    found.answer_bytes = size;
    if (!is_right(whole.substr(0, size), options)) {
        if (found.wrong++ == 0) {
            found.first_wrong = whole.substr(0, std::min<std::size_t>(size, 600));
        }
    }
    connection.in.clear();
    return true;
}

void ask(Connection& connection, std::string_view request) {
    connection.asked = Clock::now();
    send_whole(connection.socket, request);
}

std::vector<Connection> connect_all(const Options& options) {
    std::vector<Connection> connections(static_cast<std::size_t>(options.connections));
    for (int i = 0; i < options.connections; ++i) {
        connections[static_cast<std::size_t>(i)].socket = open_socket(options, i);
        if (connections[static_cast<std::size_t>(i)].socket < 0) {
            fail("cannot connect: " + std::string{std::strerror(errno)});
        }
    }
    return connections;
}

double percentile(const std::vector<std::uint32_t>& sorted, double part) {
    if (sorted.empty()) {
        return 0;
    }
    const auto last = static_cast<double>(sorted.size() - 1);
    return sorted[static_cast<std::size_t>(last * part)];
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c >= ' ' && c <= '~' ? c : ' ';
    }
    return out + '"';
}

void print(Found& found, double seconds) {
    std::sort(found.microseconds.begin(), found.microseconds.end());
    const auto& sorted = found.microseconds;
    std::cout << "{\"requests\":" << sorted.size() << ",\"seconds\":" << seconds
              << ",\"per_second\":" << static_cast<double>(sorted.size()) / seconds
              << ",\"p50_us\":" << percentile(sorted, 0.50)
              << ",\"p99_us\":" << percentile(sorted, 0.99)
              << ",\"max_us\":" << percentile(sorted, 1.0)
              << ",\"answer_bytes\":" << found.answer_bytes << ",\"wrong\":" << found.wrong
              << ",\"first_wrong\":" << quoted(found.first_wrong) << "}" << std::endl;
}

/// Every connection asks again as soon as it is answered, until the time is up.
/// When each connection asks. Without a rate: as soon as it was answered.
class Pace {
public:
    Pace(const Options& options, std::size_t connections, Clock::time_point began)
        : paced_(options.rate > 0), due_(connections, began), idle_(connections, true) {
        if (paced_) {
            const auto between = 1 / options.rate;
            step_ = duration_of(between * static_cast<double>(connections));
            for (std::size_t i = 0; i < connections; ++i) {
                due_[i] += duration_of(between * static_cast<double>(i));
            }
        }
    }
    void answered(std::size_t connection) { idle_[connection] = true; }
    /// Asks on every connection that is idle and due.
    void ask_due(std::vector<Connection>& connections, std::string_view request) {
        const auto now = Clock::now();
        for (std::size_t i = 0; i < connections.size(); ++i) {
            if (!idle_[i] || (paced_ && due_[i] > now)) {
                continue;
            }
            idle_[i] = false;
            ask(connections[i], request);
            if (paced_) {
                connections[i].asked = due_[i];
                due_[i] += step_;
            }
        }
    }
    /// Until the next is due; at most so long.
    timespec patience() const {
        auto soonest = Clock::now() + std::chrono::milliseconds{100};
        for (std::size_t i = 0; paced_ && i < due_.size(); ++i) {
            soonest = idle_[i] ? std::min(soonest, due_[i]) : soonest;
        }
        const auto left = std::max(soonest - Clock::now(), Clock::duration::zero());
        return {0, static_cast<long>(std::chrono::nanoseconds{left}.count())};
    }

private:
    static Clock::duration duration_of(double seconds) {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    }
    const bool paced_;
    Clock::duration step_{};
    std::vector<Clock::time_point> due_;
    std::vector<bool> idle_;
};

void run(const Options& options) {
    const std::string request = request_bytes(options);
    auto connections = connect_all(options);
    const int queue = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < connections.size(); ++i) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(queue, EPOLL_CTL_ADD, connections[i].socket, &event);
    }
    Found found;
    found.microseconds.reserve(std::size_t{1} << 20);
    const auto began = Clock::now();
    const auto end =
        began +
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
    Pace pace(options, connections.size(), began);
    std::vector<epoll_event> events(connections.size());
    auto now = began;
    while (now < end) {
        pace.ask_due(connections, request);
        const timespec wait = pace.patience();
        const int ready =
            ::epoll_pwait2(queue, events.data(), static_cast<int>(events.size()), &wait, nullptr);
        for (int i = 0; i < ready; ++i) {
            const auto at = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
            if (receive(connections[at], options, found)) {
                pace.answered(at);
            }
        }
        now = Clock::now();
    }
    print(found, std::chrono::duration<double>(now - began).count());
}

/// Opens all connections, lets each be answered once, says so, and keeps them until stdin ends.
void hold(const Options& options) {
    const std::string request = request_bytes(options);
    auto connections = connect_all(options);
    Found found;
    const auto began = Clock::now();
    for (Connection& connection : connections) {
        ask(connection, request);
        while (!receive(connection, options, found)) {
        }
    }
    print(found, std::chrono::duration<double>(Clock::now() - began).count());
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

/// The measured command, ended when this goes out of scope.
class Child {
public:
    Child(const Options& options, int in, int out) {
        pid_ = ::fork();
        if (pid_ == 0) {
            const int null = ::open("/dev/null", O_RDWR);
            ::dup2(in >= 0 ? in : null, STDIN_FILENO);
            ::dup2(out >= 0 ? out : null, STDOUT_FILENO);
            ::dup2(null, STDERR_FILENO);
            ::execv(options.command.front(), options.command.data());
            ::_exit(127);
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }

private:
    pid_t pid_ = -1;
};

double since(Clock::time_point began) {
    return std::chrono::duration<double>(Clock::now() - began).count();
}

void print_start(double seconds) {
    std::cout << "{\"milliseconds\":" << seconds * 1000 << "}" << std::endl;
}

/// A server may listen before it can answer: whatever is not the right answer is asked again.
void start_http(const Options& options) {
    const std::string request = request_bytes(options);
    const auto began = Clock::now();
    const Child child{options, -1, -1};
    while (since(began) < start_patience_seconds) {
        ::usleep(500);
        Connection connection;
        connection.socket = open_socket(options, 0);
        if (connection.socket < 0) {
            continue;
        }
        Found found;
        ask(connection, request);
        while (!receive(connection, options, found)) {
        }
        ::close(connection.socket);
        if (found.wrong == 0) {
            print_start(since(began));
            return;
        }
    }
    fail("no right answer in time");
}

void start_stdio(const Options& options) {
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) {
        fail("pipe");
    }
    const auto began = Clock::now();
    const Child child{options, to[0], from[1]};
    ::close(to[0]);
    ::close(from[1]);
    if (::write(to[1], options.body.data(), options.body.size()) < 0) {
        fail("write");
    }
    std::string in;
    char buffer[64 * 1024];
    while (since(began) < start_patience_seconds) {
        const ssize_t count = ::read(from[0], buffer, sizeof buffer);
        if (count <= 0) {
            fail("the command closed its output; it said: " + in);
        }
        in.append(buffer, static_cast<std::size_t>(count));
        if (in.find(options.expect) != std::string::npos && in.back() == '\n') {
            print_start(since(began));
            ::close(to[1]);
            ::close(from[0]);
            return;
        }
    }
    fail("no right answer in time");
}

void raise_file_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

int main(int argc, char** argv) {
    try {
        const Options options = read_options(argc, argv);
        if (options.mode == "run") {
            run(options);
        } else if (options.mode == "hold") {
            raise_file_limit();
            hold(options);
        } else if (options.mode == "start-http") {
            start_http(options);
        } else if (options.mode == "start-stdio") {
            start_stdio(options);
        } else {
            fail("unknown mode " + options.mode);
        }
    } catch (const std::exception& problem) {
        std::cerr << "interlock-load: " << problem.what() << "\n";
        return 1;
    }
    return 0;
}
