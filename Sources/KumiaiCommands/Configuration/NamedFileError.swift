import Coordinator
import Identity
import Worker

/// An error about a file that a configuration names.
struct NamedFileError: Error {
    let cause: any Error
    /// The key and the configuration, for example `identity.key in worker.toml`.
    let place: String
}

extension RoleFile {
    /// Runs `body`. An error about a file that the configuration at `path` names says which key names it.
    static func naming<R>(_ path: String, _ body: () throws -> R) throws -> R {
        do { return try body() } catch {
            guard let file = subject(of: error), let configuration = try? TOMLFile<Self>(path),
                let key = configuration.content.paths.first(where: { configuration.resolve($0.path) == file })?.key
            else { throw error }
            throw NamedFileError(cause: error, place: "\(key) in \(configuration.path)")
        }
    }

    private static func subject(of error: any Error) -> String? {
        switch error {
        case let error as IdentityError: error.file
        case let error as CoordinatorError: error.file
        case let error as WorkerError: error.file
        default: nil
        }
    }
}
