import ArgumentParser

/// A verb. `execute` does the work; errors become text here and nowhere else.
protocol Command: AsyncParsableCommand {
    mutating func execute() async throws
}

extension Command {
    mutating func run() async throws {
        do {
            try await execute()
        } catch let exit as ExitCode {
            throw exit
        } catch where Task.isCancelled && StandardStream.output.failure != nil {
            // It was stopped because nobody reads what it prints, and not for a reason of its own.
            throw ExitCode.success
        } catch {
            let failure = Failure(error)
            failure.report()
            throw failure.code
        }
    }
}

/// Something in a configuration or on the command line that the user can correct.
struct UsageError: Error {
    let message: String
    let hint: String
    init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
}
