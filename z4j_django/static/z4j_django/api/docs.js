// Shows the schema with Swagger UI. "Try it out" is done by whoever is signed in.
(() => {
  "use strict";

  const place = document.getElementById("z4j-api-docs");
  const { schema, csrfHeader, csrfToken } = place.dataset;

  // As an example alone it would stand in the field, and be sent by whoever only tries it out.
  const toldInWords = (parameter) => {
    const { example, ...rest } = parameter;
    if (example === undefined) {
      return parameter;
    }
    return { ...rest, description: `${rest.description || ""} For example: \`${example}\`` };
  };

  const withoutValues = (found) => {
    for (const methods of Object.values(found.paths)) {
      for (const operation of Object.values(methods)) {
        operation.parameters = (operation.parameters || []).map(toldInWords);
      }
    }
    return found;
  };

  const show = (spec) => window.SwaggerUIBundle({
    domNode: place,
    spec,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null, // or it would ask a server of its own what it thinks of the schema
    requestInterceptor(request) {
      const isOurs = new URL(request.url, document.baseURI).origin === window.location.origin;
      if (isOurs && request.method && request.method !== "GET") {
        request.headers[csrfHeader] = csrfToken;
      }
      return request;
    },
  });

  fetch(schema, { headers: { Accept: "application/json" } })
    .then((response) => response.json())
    .then((found) => show(withoutValues(found)));
})();
