import ArgumentParser
import Federation
import Foundation
import Logging

/// `--log-level`, `--log-format` and `--log-file`, for the services.
struct LogOptions: ParsableArguments {
    enum Level: String, ExpressibleByArgument, CaseIterable { case debug, info, warning, error }
    enum Style: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "The lowest level to log.")
    var logLevel: Level = .info

    @Option(help: "Text lines, or one JSON object per line.")
    var logFormat: Style = .text

    @Option(
        help: ArgumentHelp("Log to this file instead of standard error; SIGHUP reopens it.", valueName: "file"),
        completion: .file()
    )
    var logFile: String?

    func open(_ label: String) throws -> ServiceLog {
        let sink = try LogSink(path: logFile)
        var logger = Logger(label: label) { [logFormat] _ in LineLogHandler(format: logFormat, sink: sink) }
        logger.logLevel = Logger.Level(rawValue: logLevel.rawValue)!
        return ServiceLog(logger: logger, sink: sink)
    }
}

/// A service's log, for as long as it runs.
struct ServiceLog: Sendable {
    let logger: Logger
    fileprivate let sink: LogSink

    /// Runs a service, and logs why it failed: if the log is a file, standard error may not be visible.
    func explainingEnd(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            let failure = Failure(error)
            if sink.path != nil {
                logger.critical(
                    "the service ended",
                    metadata: ["reason": "\(failure.message)", "hint": "\(failure.hint)"]
                )
            }
            throw error
        }
    }

    /// Reopens the log file, for log rotation. If it cannot be opened, the old file stays in use. That file may have
    /// been removed, so the problem is also printed on standard error.
    func reopen() {
        guard let path = sink.path else { return }
        do {
            try sink.reopen()
            logger.info("log file reopened", metadata: ["path": "\(path)"])
        } catch {
            let reason = Failure(error).message
            logger.error("the log file cannot be reopened; the old one stays in use", metadata: ["reason": "\(reason)"])
            Terminal.printNotice("the log file cannot be reopened; the old one stays in use: \(reason)")
        }
    }
}

/// Writes log lines: messages are constant, and variable values are metadata.
///
/// Lines that cannot be written are counted and reported as soon as a line can be written again; the service continues.
struct LineLogHandler: LogHandler {
    let format: LogOptions.Style
    let sink: LogSink
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    init(format: LogOptions.Style, sink: LogSink) {
        self.format = format
        self.sink = sink
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        sink.write(line(event.level, "\(event.message)", values)) { lost in
            line(.error, "log lines were lost", ["lines": "\(lost.count)", "reason": lost.reason])
        }
    }

    func line(_ level: Logger.Level, _ message: String, _ values: [String: String]) -> String {
        let time = ISO8601DateFormatter().string(from: Date())
        return format == .json ? json(level, message, values, time) : text(level, message, values, time)
    }

    private func text(_ level: Logger.Level, _ message: String, _ values: [String: String], _ time: String) -> String {
        let fields = values.sorted { $0.key < $1.key }.filter { !$0.value.isEmpty }.map {
            " \($0.key)=\(quoted($0.value))"
        }.joined()
        return DisplayText.escaped(
            "\(time) \(level.rawValue.padding(toLength: 9, withPad: " ", startingAt: 0))\(message)\(fields)"
        )
    }

    /// Quotes a value with a space, an equals sign or a quotation mark, so that it does not look like several fields.
    private func quoted(_ value: String) -> String {
        guard value.contains(where: { $0.isWhitespace || $0 == "\"" || $0 == "=" }) else { return value }
        return "\"\(value.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\""))\""
    }

    private func json(_ level: Logger.Level, _ message: String, _ values: [String: String], _ time: String) -> String {
        // A peer's value must not replace the log's own fields.
        let object = values.merging(["time": time, "level": level.rawValue, "message": message]) { $1 }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(object)).map { DisplayText.escapedJSON(String(decoding: $0, as: UTF8.self)) } ?? ""
    }
}
