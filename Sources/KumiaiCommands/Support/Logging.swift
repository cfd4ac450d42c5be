import ArgumentParser
import Foundation
import Logging
import NIOConcurrencyHelpers

/// `--log-level` and `--log-format`, for commands that run for long.
struct LogOptions: ParsableArguments {
    enum Level: String, ExpressibleByArgument, CaseIterable { case debug, info, warning, error }
    enum Style: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "What to log at least.")
    var logLevel: Level = .info

    @Option(help: "Lines for people, or one JSON object a line.")
    var logFormat: Style = .text

    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { [logFormat] _ in StandardErrorHandler(format: logFormat) }
        logger.logLevel = Logger.Level(rawValue: logLevel.rawValue)!
        return logger
    }
}

/// Log lines on standard error: constant messages, and what varies as metadata.
struct StandardErrorHandler: LogHandler {
    let format: LogOptions.Style
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    private static let lock = NIOLock()

    init(format: LogOptions.Style) { self.format = format }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = ISO8601DateFormatter().string(from: Date())
        let line = format == .json ? json(event, fields, time) : text(event, fields, time)
        Self.lock.withLock { FileHandle.standardError.write(Data((line + "\n").utf8)) }
    }

    private func text(_ event: LogEvent, _ fields: [(key: String, value: Logger.MetadataValue)], _ time: String) -> String {
        let values = fields.filter { !"\($0.value)".isEmpty }.map { " \($0.key)=\(quoted("\($0.value)"))" }.joined()
        return "\(time) \(event.level.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0))\(event.message)\(values)"
    }

    private func quoted(_ value: String) -> String { value.contains(" ") ? "\"\(value)\"" : value }

    private func json(_ event: LogEvent, _ fields: [(key: String, value: Logger.MetadataValue)], _ time: String) -> String {
        var object = ["time": time, "level": event.level.rawValue, "message": "\(event.message)"]
        for (key, value) in fields { object[key] = "\(value)" }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
