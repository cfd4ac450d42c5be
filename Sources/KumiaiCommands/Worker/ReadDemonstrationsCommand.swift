import Demonstrations
import ArgumentParser
import Worker

/// Not for people: the process in which a worker lets libhdf5 read.
struct ReadDemonstrationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: DemonstrationReader.verb, shouldDisplay: false)

    @Argument(parsing: .allUnrecognized)
    var arguments: [String] = []

    func run() throws {
        let status = DemonstrationReader.serve(arguments)
        if status != 0 { throw ExitCode(status) }
    }
}
