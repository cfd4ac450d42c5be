import DemonstrationFixtures
@testable import Contracts
import Tensors
import TestKit
import Testing

/// A policy's configuration is untrusted input: errors name the wrong member.
@Suite struct ContractTests {
    @Test(arguments: Objective.allCases)
    func aConfigurationReadsItsOwnText(objective: Objective) throws {
        for configuration in [
            Shapes.small(objective), Shapes.aloha, Shapes.small(objective, state: 0, cameras: []),
            try Shapes.example("state"),
        ] {
            #expect(try PolicyConfiguration(json: configuration.json) == configuration)
        }
    }

    /// A part of a valid text, its replacement, and a part of the expected error.
    static let wrongs: [(String, String, String)] = [
        (#""type": "kumiai_vla""#, #""type": "act""#, "another type"),
        (#""loss": "l1""#, #""loss": "l3""#, "loss is not one of l1, mse, flow_matching"),
        (#""n_heads": 2"#, #""n_heads": 5"#, "n_heads does not divide"),
        (#""patch_size": 4"#, #""patch_size": 5"#, "does not divide the images of c"),
        (#""n_words": 3"#, #""n_words": 0"#, "n_words and contract.instruction do not match"),
        (#""n_words": 3"#, #""n_words": 1e9"#, "n_words is missing or outside"),
        (#""dim_model": 12"#, #""dim_model": 12.5"#, "dim_model is missing"),
        (#""chunk_size": 2"#, #""chunk_size": 513"#, "chunk_size is missing or outside 1 to 512"),
        (#""key": "s""#, #""key": "../s""#, "contract.state.key is not a valid dataset name"),
        (#""key": "c""#, #""key": """#, "contract.cameras.key is not a valid dataset name"),
        (#""offset": 0"#, #""offset": 1"#, "contract.state.offset"),
        (#""mean": [0.0, "#, #""mean": ["#, "mean and std differ in length"),
        (#""std": [1.0, "#, #""std": [0, "#, "a std is not positive"),
        (#""height": 8"#, #""height": 4097"#, "contract.cameras.height"),
        (#""minimum": -1.0"#, #""minimum": 1.0"#, "minimum is not less than maximum"),
        (#""std": 1.0, "minimum""#, #""std": 0, "minimum""#, "dimensions.std is not positive"),
        (
            #""dimensions": ["#, #""dimension": ["#,
            "contract.action.dimension is unknown; known names: space, dimensions"
        ),
        (#""n_heads": "#, #""heads": 2, "n_heads": "#, "heads is unknown"),
        (#""offset": "#, #""history": 0, "offset": "#, "contract.state.history is unknown"),
        (#""control_hz": 0.0"#, #""control_hz": "50""#, "contract.control_hz is not a number from 0 to 10000"),
        (#""name": "b""#, #""name": "a""#, "contract.action.dimensions contain a name twice"),
        (#""height": 8, "width": 12"#, #""height": 4096, "width": 4096"#, "tokens and"), ("{", "", "not JSON"),
    ]

    @Test(arguments: wrongs)
    func whatIsWrongIsNamed(sound: String, wrong: String, message: String) throws {
        let text = Shapes.small(.absoluteError).json
        let range = try #require(text.range(of: sound))
        #expect { try PolicyConfiguration(json: text.replacingCharacters(in: range, with: wrong)) } throws: {
            "\($0)".contains(message)
        }
    }

    @Test(arguments: [
        (#"{"type": "kumiai_vla", "loss": "l1"}"#, "contract is missing"),
        (
            #"{"type": "kumiai_vla", "loss": "l1", "contract": {"embodiment": "", "instruction": "", "action": 3}}"#,
            "contract.action is not an object"
        ),
        (
            #"{"type": "kumiai_vla", "loss": "l1", "contract": {"embodiment": "", "instruction": "", "action": {"space": "", "dimensions": 3}}}"#,
            "contract.action.dimensions is not a list"
        ),
    ])
    func whatIsMissingIsNamed(text: String, message: String) {
        #expect { try PolicyConfiguration(json: text) } throws: { "\($0)".contains(message) }
    }

    @Test func whatWouldTakeAllMemoryIsRefused() throws {
        var large = Shapes.small(.absoluteError, cameras: [Camera(key: "c", height: 480, width: 512)])
        large.layers = 64
        #expect { try PolicyConfiguration(json: large.json) } throws: { "\($0)".contains("activations per sample") }
    }

    @Test func aPolicyWithNothingToSeeIsRefused() throws {
        let blind = Shapes.small(.absoluteError, state: 0, words: 0, cameras: [])
        #expect { try PolicyConfiguration(json: blind.json) } throws: {
            "\($0)".contains("neither cameras nor an instruction nor a state")
        }
    }
}
