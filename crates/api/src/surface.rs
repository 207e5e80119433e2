//! Routes that know their own names.
//!
//! A router does not tell what it routes. Operations are put together here
//! instead, each with its words: some describe themselves at length where they
//! are handled ([`Surface::on`]), the others are told in a line ([`Surface::told`]).
//! The document is made of both, so that there is no route that it does not
//! know; a test holds the two against each other.

use std::collections::BTreeMap;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{
    Components, Content, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, ResponsesBuilder,
    Schema, Type,
};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;

/// Operations below one prefix: a router, and the list of what is in it.
#[derive(Default)]
pub(crate) struct Surface {
    router: Router<App>,
    operations: Vec<Routed>,
    /// Of the operations that come next.
    tag: &'static str,
}

/// An operation as it is routed.
pub(crate) struct Routed {
    pub(crate) method: Method,
    /// Without the prefix.
    pub(crate) path: &'static str,
    /// Its words; nothing if it describes itself.
    outline: Option<Outline>,
}

/// What a line tells of an operation.
struct Outline {
    tag: &'static str,
    name: &'static str,
    summary: &'static str,
    parameters: Vec<Parameter>,
    /// The body that it takes.
    takes: Option<Body>,
    /// What it answers with; nothing where there is no body.
    gives: Option<Body>,
}

/// A body as a line tells it.
struct Body {
    media_type: &'static str,
    /// Its form, where that is known, and the forms that it is made of.
    form: Option<Form>,
}

struct Form {
    schema: RefOr<Schema>,
    parts: Vec<(String, RefOr<Schema>)>,
}

const JSON: &str = "application/json";

impl Body {
    fn text(media_type: &'static str) -> Self {
        Body { media_type, form: None }
    }

    /// A JSON body of a type with a name, which is told once and referred to.
    fn of<B: ToSchema>() -> Self {
        Body::named::<B>(B::name().into_owned())
    }

    fn named<B: ToSchema>(name: String) -> Self {
        let mut parts = vec![(name.clone(), B::schema())];
        B::schemas(&mut parts);
        Body { media_type: JSON, form: Some(Form { schema: Ref::from_schema_name(name).into(), parts }) }
    }

    /// A JSON body that is a list of such a type.
    fn list_of<B: ToSchema>() -> Self {
        let Body { media_type, form } = Body::of::<B>();
        let form = form.map(|Form { schema, parts }| {
            let list = ArrayBuilder::new().items(schema);
            Form { schema: Schema::from(list).into(), parts }
        });
        Body { media_type, form }
    }
}

impl Surface {
    /// Adds an operation that describes itself.
    pub(crate) fn on<H, T>(mut self, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.route(&method, path, handler);
        self.operations.push(Routed { method, path, outline: None });
        self
    }

    /// Says what the operations are about that come next.
    pub(crate) fn about(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// Adds an operation in a line: a name that no other one has, and what it
    /// does. It takes no body and answers with JSON, unless more is said.
    pub(crate) fn told<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        handler: H,
        (name, summary): (&'static str, &'static str),
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.route(&method, path, handler);
        let (tag, gives) = (self.tag, Some(Body::text(JSON)));
        let outline = Outline { tag, name, summary, parameters: Vec::new(), takes: None, gives };
        self.operations.push(Routed { method, path, outline: Some(outline) });
        self
    }

    /// The last operation has these parameters in its query string.
    pub(crate) fn asks<P: IntoParams>(self) -> Self {
        self.with(|outline| outline.parameters = P::into_params(|| Some(ParameterIn::Query)))
    }

    /// The last operation takes a body of a media type.
    pub(crate) fn takes(self, media_type: &'static str) -> Self {
        self.with(|outline| outline.takes = Some(Body::text(media_type)))
    }

    /// The last operation takes JSON of this form.
    pub(crate) fn takes_form<B: ToSchema>(self) -> Self {
        self.with(|outline| outline.takes = Some(Body::of::<B>()))
    }

    /// The last operation answers with a body of another media type.
    pub(crate) fn gives_text(self, media_type: &'static str) -> Self {
        self.with(|outline| outline.gives = Some(Body::text(media_type)))
    }

    /// The last operation answers with JSON of this form.
    pub(crate) fn gives<B: ToSchema>(self) -> Self {
        self.with(|outline| outline.gives = Some(Body::of::<B>()))
    }

    /// The last operation answers with JSON of this form, a generic one about a
    /// type, which has no name of its own.
    pub(crate) fn gives_as<B: ToSchema, T: ToSchema>(self, name: &str) -> Self {
        let mut body = Body::named::<B>(name.to_owned());
        if let Some(form) = &mut body.form {
            form.parts.push((T::name().into_owned(), T::schema()));
        }
        self.with(|outline| outline.gives = Some(body))
    }

    /// The last operation answers with a list of JSON of this form.
    pub(crate) fn gives_list<B: ToSchema>(self) -> Self {
        self.with(|outline| outline.gives = Some(Body::list_of::<B>()))
    }

    /// The last operation answers without a body.
    pub(crate) fn gives_nothing(self) -> Self {
        self.with(|outline| outline.gives = None)
    }

    fn with(mut self, change: impl FnOnce(&mut Outline)) -> Self {
        let last = self.operations.last_mut().and_then(|routed| routed.outline.as_mut());
        change(last.expect("more is said of an operation that was told"));
        self
    }

    fn route<H, T>(&mut self, method: &Method, path: &'static str, handler: H)
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method that HTTP itself has");
        self.router = std::mem::take(&mut self.router).route(path, on(filter, handler));
    }

    /// Returns the router.
    pub(crate) fn into_router(self) -> Router<App> {
        self.router
    }

    /// Adds the operations that were told to a document; each may fail in these
    /// ways.
    pub(crate) fn write_into(self, document: &mut OpenApi, prefix: &str, problems: &BTreeMap<String, RefOr<Response>>) {
        for Routed { method, path, outline } in self.operations {
            let Some(outline) = outline else { continue };
            let method = match method {
                Method::PUT => HttpMethod::Put,
                Method::POST => HttpMethod::Post,
                Method::PATCH => HttpMethod::Patch,
                Method::DELETE => HttpMethod::Delete,
                _ => HttpMethod::Get,
            };
            let components = document.components.get_or_insert_with(Components::new);
            let operation = outline.described(path, problems, components);
            document.paths.add_path_operation(format!("{prefix}{path}"), vec![method], operation);
        }
    }

    /// Returns what is in it.
    #[cfg(test)]
    pub(crate) fn operations(&self) -> &[Routed] {
        &self.operations
    }
}

impl Outline {
    fn described(
        self,
        path: &str,
        problems: &BTreeMap<String, RefOr<Response>>,
        components: &mut Components,
    ) -> Operation {
        let answer = match self.gives {
            None => ResponseBuilder::new().description("It is done."),
            Some(body) => {
                let (media_type, content) = body.described(components);
                ResponseBuilder::new().description("The answer.").content(media_type, content)
            }
        };
        let responses = ResponsesBuilder::new().response("2XX", answer).responses_from_iter(problems.clone());
        let mut operation = OperationBuilder::new()
            .operation_id(Some(self.name))
            .summary(Some(self.summary))
            .tag(self.tag)
            .responses(responses.build());
        for name in names_in(path) {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
            operation = operation.parameter(parameter.required(Required::True).schema(Some(text)));
        }
        for parameter in self.parameters {
            operation = operation.parameter(parameter);
        }
        if let Some(body) = self.takes {
            let (media_type, content) = body.described(components);
            let body = RequestBodyBuilder::new().content(media_type, content);
            operation = operation.request_body(Some(body.build()));
        }
        operation.build()
    }
}

impl Body {
    /// Returns the media type and the form, whose parts become components.
    fn described(self, components: &mut Components) -> (&'static str, Content) {
        let Some(Form { schema, parts }) = self.form else { return (self.media_type, Content::default()) };
        for (name, part) in parts {
            let other = components.schemas.get(&name).filter(|known| **known != part);
            assert!(other.is_none(), "two forms are called \"{name}\"; name one of them by #[schema(as = …)]");
            components.schemas.insert(name, part);
        }
        (self.media_type, Content::new(Some(schema)))
    }
}

/// Lists the names of the parts of a path that vary.
fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}
