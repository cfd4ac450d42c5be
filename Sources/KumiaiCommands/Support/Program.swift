import ArgumentParser
import Federation
import Foundation

extension Kumiai {
    /// Parses the command line, runs its command, and returns the exit code.
    ///
    /// Replaces `ArgumentParser`'s own `main`, which uses `print`: on a full disk, help would be lost and the exit code
    /// would still be 0.
    package static func perform() async -> Int32 {
        let work = Task { await runCommand() }
        // Cancelled instead of terminated at once, so that the command cleans up and stops the processes that it
        // started.
        StandardStream.output.whenBroken { work.cancel() }
        let status = await work.value
        return StandardStream.output.status(after: status)
    }

    private static func runCommand() async -> Int32 {
        if let failure = failure(of: Array(CommandLine.arguments.dropFirst())) {
            failure.report()
            return failure.code.rawValue
        }
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            return ExitCode.success.rawValue
        } catch {
            return report(error)
        }
    }

    /// A better error for arguments that the parser would only call unexpected or missing.
    private static func failure(of arguments: [String]) -> Failure? {
        CommandSuggestion(arguments, root: Kumiai.self)?.failure ?? EmptyArgument(arguments)?.failure
            ?? NegativeValue(arguments)?.failure
    }

    /// Prints the parser's output: help, the version, completions, or an error in the command line.
    private static func report(_ error: any Error) -> Int32 {
        let code = exitCode(for: error)
        let text = UsageText.wrapped(fullMessage(for: error), columns: 80)
        guard !text.isEmpty else { return code.rawValue }
        if code.isSuccess {
            StandardStream.output.write(trusted: text + "\n")
        } else {
            for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
                StandardStream.error.print("\(line)")
            }
            if JSONOption.isRequested { try? ErrorOutput(code, message(for: error), hint: "see --help").printJSON() }
        }
        return code.rawValue
    }
}
