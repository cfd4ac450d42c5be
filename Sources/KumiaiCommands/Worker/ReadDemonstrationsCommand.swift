import Demonstrations
import ArgumentParser
import Worker

/// Internal: the separate process in which a worker runs libhdf5 to read demonstrations.
struct ReadDemonstrationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: DemonstrationReader.verb, shouldDisplay: false)

    @Argument(parsing: .allUnrecognized)
    var arguments: [String] = []

    func run() throws {
        let status = DemonstrationReader.serve(arguments)
        if status != 0 { throw ExitCode(status) }
    }
}
